"""Training steps of the down-sampled baseline network on two cores: whole machine against whole machine.

The plain loop (`benchmarks.classifier`) trains one network with two threads, with and without loader processes, or two
networks side by side with one thread each. Ours trains two side by side, as the grid does. The plain loop runs without
huge pages, as its user has it (target 3), and with them, as ours (rows `..._huge_pages`, target 1).
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.classifier import (
    OURS,
    PLAIN,
    TOGETHER,
    Group,
    huge_pages,
    our_step,
    outcome,
    plain_step,
    random_latents,
    write_scans,
)
from benchmarks.outcome import Effort, Outcome
from cohortsmith.models.classifier_batches import Labelled, source_of

# Of each process: as many as share decoded blocks, so that the timed steps decode what they use, no more and no less.
WARM_UP = STEPS = TOGETHER
Make = Callable[[], Callable[[], object]]


class Contestant(NamedTuple):
    """How to make a step, in how many processes at once, with how many threads each, with huge pages or not."""

    make: Make
    processes: int
    threads: int
    huge_pages: bool


def run(effort: Effort) -> Iterator[Outcome]:
    """Time steps per second of the whole machine."""
    with tempfile.TemporaryDirectory() as folder:
        files, data = write_scans(Path(folder))
        contestants = {group: _plain_contestants(files, group) for group in PLAIN} | {OURS: _our_contestants(data)}
        rates = {
            group: {name: _rate(contestant, effort) for name, contestant in named.items()}
            for group, named in contestants.items()
        }
    for group in PLAIN:
        for (name, plain), (kind, ours) in product(rates[group].items(), rates[OURS].items()):
            row = {f"plain, {name}": f"{plain:.2f} steps/s", f"ours, {kind}": f"{ours:.2f} steps/s"}
            yield outcome(f"two_cores_{kind}_over_{name.replace(' ', '_')}", ours / plain, group, row)


def _plain_contestants(files: list[Path], group: Group) -> dict[str, Contestant]:
    return {
        "one loop": Contestant(partial(plain_step, files, 0), 1, 2, group.huge_pages),
        "one loop and two workers": Contestant(partial(plain_step, files, 2), 1, 2, group.huge_pages),
        "two loops": Contestant(partial(plain_step, files, 0), 2, 1, group.huge_pages),
    }


def _our_contestants(data: Labelled) -> dict[str, Contestant]:
    return {kind: Contestant(partial(_our_step, data, kind), 2, 1, OURS.huge_pages) for kind in _KINDS}


_KINDS = {"real": (True, False), "synthetic": (False, True), "both": (True, True)}


def _our_step(data: Labelled, kind: str) -> Callable[[], object]:
    real, synthetic = _KINDS[kind]
    sources = [source_of(data)] * real + [source_of(random_latents())] * synthetic
    return our_step(tuple(sources))


def _rate(contestant: Contestant, effort: Effort) -> float:
    """Give the best of some repeats: steps per second of all processes together."""
    return max(_once(contestant) for _ in range(effort.repeats))


def _once(contestant: Contestant) -> float:
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(contestant.processes), context.SimpleQueue()
    arguments = (contestant.make, contestant.threads, barrier, seconds)
    workers = [context.Process(target=_work, args=arguments) for _ in range(contestant.processes)]
    with huge_pages(contestant.huge_pages):
        for worker in workers:
            worker.start()
    found = [seconds.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(STEPS / one for one in found)


def _work(make: Make, threads: int, barrier: Barrier, seconds: "multiprocessing.SimpleQueue[float]") -> None:
    torch.set_num_threads(threads)
    step = make()
    for _ in range(WARM_UP):
        step()
    barrier.wait()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    seconds.put(time.perf_counter() - began)
