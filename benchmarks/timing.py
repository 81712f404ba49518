"""Fair wall-clock times on a machine that others use too.

Contestants take turns in one process. A repeat counts only where the rest of the machine used less than
`QUIET` cores meanwhile; when too few do, the least disturbed are taken and the result says so.
"""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

QUIET = 0.2  # cores, the threshold under which the reference figures were taken
SHORTEST = 0.25  # seconds of one repeat: /proc/stat counts in hundredths of a second
LONGEST_WAIT = 4.0  # seconds to wait for a quiet machine before a repeat


class Repeat(NamedTuple):
    """Seconds per call, and how many cores the rest of the machine used meanwhile."""

    seconds: float
    elsewhere: float


class Timing(NamedTuple):
    """Median seconds per call over the repeats that count; contended: too few of them were quiet."""

    seconds: float
    n_repeats: int
    contended: bool

    def __str__(self) -> str:
        return f"{1e3 * self.seconds:9.2f} ms{' (contended)' if self.contended else ''}"


def compare(contestants: Mapping[str, Callable[[], object]], repeats: int, tries: int) -> dict[str, Timing]:
    """Time each contestant in turns until each has `repeats` quiet repeats, at most `tries` rounds."""
    calls = {name: _calls_per_repeat(call) for name, call in contestants.items()}
    found: dict[str, list[Repeat]] = {name: [] for name in contestants}
    for _ in range(tries):
        for name, call in contestants.items():
            if _quiet(found[name]) < repeats:
                _wait_for_quiet()
                found[name].append(repeat(call, calls[name]))
        if all(_quiet(values) >= repeats for values in found.values()):
            break
    return {name: _summarise(values, repeats) for name, values in found.items()}


def repeat(call: Callable[[], object], n: int) -> Repeat:
    """Time n calls and watch the rest of the machine."""
    busy, own, began = _busy_seconds(), _own_seconds(), time.perf_counter()
    for _ in range(n):
        call()
    wall = time.perf_counter() - began
    others = (_busy_seconds() - busy) - (_own_seconds() - own)
    return Repeat(wall / n, max(0.0, others / wall))


def _calls_per_repeat(call: Callable[[], object]) -> int:
    call()  # warm-up: first allocations, first kernels
    began = time.perf_counter()
    call()
    return max(1, round(SHORTEST / (time.perf_counter() - began)))


def _quiet(values: list[Repeat]) -> int:
    return sum(value.elsewhere < QUIET for value in values)


def _summarise(values: list[Repeat], repeats: int) -> Timing:
    contended = _quiet(values) < repeats
    taken = sorted(values, key=lambda value: value.elsewhere)[:repeats]
    return Timing(statistics.median(value.seconds for value in taken), len(taken), contended)


def _wait_for_quiet() -> None:
    until = time.perf_counter() + LONGEST_WAIT
    while time.perf_counter() < until and repeat(lambda: time.sleep(0.2), 1).elsewhere >= QUIET:
        pass


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _busy_seconds() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
