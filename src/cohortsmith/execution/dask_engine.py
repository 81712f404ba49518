"""Dask workers: processes of this machine, or whatever has joined a scheduler that runs elsewhere.

No dashboard, and nothing but this machine's loopback unless a scheduler is named. Dask's messages are pickles: whoever
reaches the scheduler can run code there, so a cluster of our own speaks TLS with certificates made for this one use.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

from cohortsmith import __version__
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.execution.local_engine import environment
from cohortsmith.execution.pool import ONE_THREAD, Pool, attempt

log = logging.getLogger(__name__)
_GIGABYTE = 2**30
_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,  # how often a job is tried is ours to say
    "distributed.scheduler.http.routes": [],  # nothing to be seen in a browser
    "distributed.worker.http.routes": [],
}


@contextlib.contextmanager
def dask_pool(execution: ExecutionConfig, workers: int) -> Iterator[Pool]:
    """Join the scheduler of the configuration, or start workers on this machine and end them with the block.

    Raises `ConfigurationError` without the extra `cluster`, without an answer from the scheduler, or if a worker has
    another version of this package.
    """
    dask, distributed = _load()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if execution.scheduler:
            client = stack.enter_context(_join(distributed, execution.scheduler))
            _require_same_version(client)
        else:
            client = stack.enter_context(_start(distributed, workers, execution.memory_per_worker_gb, stack))

        def submit(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
            return client.submit(attempt, function, arguments, pure=False)

        def ended(futures: Sequence[Any]) -> Sequence[Any]:
            return list(distributed.wait(futures, return_when="FIRST_COMPLETED").done)

        def capacity() -> int:
            # One job per thread: what waits on a worker that dies would be blamed with the job that killed it.
            return max(workers, sum(client.nthreads().values()), 1)

        yield Pool(submit, ended, capacity, (distributed.scheduler.KilledWorker,))


def _load() -> tuple[Any, Any]:
    try:
        return import_module("dask"), import_module("distributed")
    except ImportError:
        raise ConfigurationError(
            "Dask is not installed",
            where="parameters.execution.engine",
            got="dask",
            expected="the packages dask and distributed",
            remedy="pip install 'cohortsmith[cluster]', or set execution.engine to local",
        ) from None


def _start(distributed: Any, workers: int, memory_gb: float, stack: contextlib.ExitStack) -> Any:
    stack.enter_context(environment({**ONE_THREAD, "DASK_LOGGING__DISTRIBUTED": "critical"}))
    cluster = stack.enter_context(
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=int(memory_gb * _GIGABYTE),  # 0: no limit
            local_directory=stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)),
            silence_logs=logging.CRITICAL,
            protocol="tls://",
            security=True,
        )
    )
    return distributed.Client(cluster)


def _join(distributed: Any, address: str) -> Any:
    try:
        client = distributed.Client(address, timeout="30s")
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigurationError(
            "the Dask scheduler does not answer",
            where="parameters.execution.scheduler",
            got=type(error).__name__,
            expected="a running scheduler, such as tcp://node1:8786",
            remedy="start it with 'dask scheduler' and give the address that it prints; see docs/clusters.md",
        ) from None
    if not client.nthreads():
        log.info("waiting for the first Dask worker")
        client.wait_for_workers(1)
    return client


def _require_same_version(client: Any) -> None:
    others = set(client.run(_version).values()) - {__version__}
    if others:
        raise ConfigurationError(
            "Dask workers have another version of cohortsmith",
            where="parameters.execution.scheduler",
            got=", ".join(sorted(others)),
            expected=__version__,
            remedy="install the same version for every worker",
        )


def _version() -> str:
    return __version__
