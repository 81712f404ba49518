"""Worker processes of this machine (Pebble), which talk through pipes: no network, not even the loopback."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from pebble import ProcessExpired, ProcessPool

from cohortsmith.execution.pool import ONE_THREAD, Pool, attempt


@contextlib.contextmanager
def local_pool(workers: int) -> Iterator[Pool]:
    """Start worker processes when they are first needed; end them with the block, at once if it fails."""
    with (
        environment(ONE_THREAD),
        ProcessPool(max_workers=workers, context=multiprocessing.get_context("spawn")) as pool,
    ):

        def submit(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
            return pool.schedule(attempt, args=(function, arguments))

        try:
            yield Pool(submit, _ended, lambda: 2 * workers, (ProcessExpired,))
        except BaseException:
            pool.stop()
            raise


def _ended(futures: Sequence["Future[Any]"]) -> Sequence["Future[Any]"]:
    return list(wait(futures, return_when=FIRST_COMPLETED).done)


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started within the block."""
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
