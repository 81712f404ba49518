"""One function, many items: outcomes as they come, whatever engine does the work."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, NamedTuple

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.errors import CohortsmithError
from cohortsmith.execution.dask_engine import dask_pool
from cohortsmith.execution.local_engine import local_pool
from cohortsmith.execution.pool import Pool
from cohortsmith.execution.progress import progress
from cohortsmith.execution.resources import available_cores, workers_that_fit

Items = Mapping[str, tuple[Any, ...]]


class Outcome(NamedTuple):
    """What became of one job: its value, or the error that stopped it."""

    key: str
    value: Any = None
    error: CohortsmithError | None = None


def run_items(
    function: Callable[..., Any],
    items: Items,
    *,
    title: str,
    workers: int = 0,
    execution: ExecutionConfig | None = None,
    memory_gb: float = 0.0,
) -> Iterator[Outcome]:
    """Yield one `Outcome` per item as jobs end; a `CohortsmithError` or a dead worker costs only its own item.

    function: importable by name, called as `function(*items[key])`. workers: processes of this machine, if there is no
    `execution`; 0 means one per core. memory_gb: what one job may need, unless the configuration says it.
    Raises `CohortsmithError`, when all others are done, if jobs stopped with an error that nobody foresaw.
    """
    if not items:
        return
    execution = execution or ExecutionConfig(workers=workers)
    broken: dict[str, str] = {}
    with progress(title, len(items)) as advance, _engine(execution, len(items), memory_gb) as pool:
        for key, answer in _answers(pool, function, items, execution.attempts):
            if isinstance(answer, str):
                broken[key] = answer
            else:
                yield answer
            advance()
    if broken:
        raise _unforeseen(broken, len(items))


def _engine(execution: ExecutionConfig, jobs: int, memory_gb: float) -> AbstractContextManager[Pool]:
    workers = min(execution.workers or available_cores(), jobs)
    if execution.engine == "dask" and execution.scheduler:
        return dask_pool(execution, execution.workers)
    workers = workers_that_fit(workers, execution.memory_per_worker_gb or memory_gb)
    return dask_pool(execution, workers) if execution.engine == "dask" else local_pool(workers)


def _answers(
    pool: Pool, function: Callable[..., Any], items: Items, attempts: int
) -> Iterator[tuple[str, Outcome | str]]:
    """Do every item; those that lost their worker are tried again one at a time, so that none is blamed for another."""
    lost = yield from _round(pool, function, items, pool.capacity)
    for _ in range(attempts - 1):
        lost = yield from _round(pool, function, {key: items[key] for key in lost}, lambda: 1)
    for key in lost:
        yield key, Outcome(key, error=_worker_died(key, attempts))


def _round(
    pool: Pool, function: Callable[..., Any], items: Items, capacity: Callable[[], int]
) -> Generator[tuple[str, Outcome | str], None, list[str]]:
    waiting, running, lost = iter(items.items()), {}, []
    while True:
        for key, arguments in islice(waiting, max(0, capacity() - len(running))):
            running[pool.submit(function, arguments)] = key
        if not running:
            return lost
        for future in pool.wait(list(running)):
            key = running.pop(future)
            try:
                answer = future.result()
            except pool.deaths:
                lost.append(key)
            else:
                yield key, answer.broken or Outcome(key, answer.value, answer.refused)


def _worker_died(key: str, attempts: int) -> CohortsmithError:
    return CohortsmithError(
        "the worker process died",
        where=key,
        got=f"{attempts} attempts" if attempts > 1 else "one attempt",
        remedy="the tool may have aborted or memory run out: look at this scan, or use fewer workers",
    )


def _unforeseen(broken: dict[str, str], jobs: int) -> CohortsmithError:
    return CohortsmithError(
        f"{len(broken)} of {jobs} jobs stopped with an unforeseen error; all others are done",
        got="; ".join(f"{key}: {text}" for key, text in sorted(broken.items())[:5]),
        expected="a result, or a reason to set the item aside",
        remedy="report it; the same command tries them again, and a scan can be left out in the table of decisions",
    )
