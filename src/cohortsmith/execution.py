"""Many small independent jobs on all cores of this machine, with a progress bar and an ETA.

Jobs run in worker processes (Pebble), one thread each, so that results do not depend on the number of workers and a
job that kills its process (ANTs aborting, memory running out) costs only itself.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, as_completed
from typing import Any, NamedTuple

from pebble import ProcessExpired, ProcessPool
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cohortsmith.errors import CohortsmithError

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
}


class Outcome(NamedTuple):
    """What became of one job: its value, or the error that stopped it."""

    key: str
    value: Any = None
    error: CohortsmithError | None = None


def run_items(
    function: Callable[..., Any], items: Mapping[str, tuple[Any, ...]], *, workers: int, title: str
) -> Iterator[Outcome]:
    """Yield one `Outcome` per item as jobs end; only a `CohortsmithError` or a dead worker is survived.

    function: importable by name, called as `function(*items[key])`. workers: processes; 0 means one per core.
    """
    if not items:
        return
    workers = min(workers or available_cores(), len(items))
    with (
        progress(title, len(items)) as advance,
        _environment(_ONE_THREAD),
        ProcessPool(max_workers=workers, context=multiprocessing.get_context("spawn")) as pool,
    ):
        futures: dict[Future[Any], str] = {
            pool.schedule(function, args=arguments): key for key, arguments in items.items()
        }
        try:
            for future in as_completed(list(futures)):
                yield _outcome(futures.pop(future), future)
                advance()
        except BaseException:
            pool.stop()
            raise


def available_cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with an ETA on a terminal, a line at every tenth elsewhere; yield the function that advances it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=2) as bar:
        task = bar.add_task(title, total=total)
        spoken = _spoken_progress(console, title, total)

        def advance() -> None:
            bar.advance(task)
            spoken(bar.tasks[0].time_remaining)

        yield advance


def _spoken_progress(console: Console, title: str, total: int) -> Callable[[float | None], None]:
    """Progress for logs of scheduled jobs, where a bar cannot be drawn."""
    done = 0

    def speak(seconds_left: float | None) -> None:
        nonlocal done
        done += 1
        crossed_a_tenth = done * 10 // total > (done - 1) * 10 // total
        if not console.is_terminal and crossed_a_tenth:
            eta = "" if seconds_left is None else f", ETA {seconds_left:.0f} s"
            console.print(f"{title}: {done} of {total}{eta}", highlight=False)

    return speak


def _outcome(key: str, future: "Future[Any]") -> Outcome:
    try:
        return Outcome(key, value=future.result())
    except CohortsmithError as error:
        return Outcome(key, error=error)
    except ProcessExpired as expired:
        return Outcome(
            key,
            error=CohortsmithError(
                "the worker process died",
                where=key,
                got=f"exit code {expired.exitcode}",
                remedy="the tool may have aborted or memory run out: look at this scan, or use fewer workers",
            ),
        )


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
