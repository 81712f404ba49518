"""What an engine offers: a place to send jobs to, and the answers that come back."""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cohortsmith.errors import CohortsmithError

# ITK and BLAS add up in another order with another number of threads.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
}


class Answer(NamedTuple):
    """How a job ended in its worker: with a value, refused with a reason, or broken by an error nobody foresaw."""

    value: Any = None
    refused: CohortsmithError | None = None
    broken: str = ""


class Pool(NamedTuple):
    """An engine at work.

    submit:   function, arguments -> future whose `result()` is an `Answer`
    wait:     futures -> those that have ended, at least one
    capacity: how many jobs may be under way at once
    deaths:   the exceptions of `result()` that mean the worker is gone
    """

    submit: Callable[[Callable[..., Any], tuple[Any, ...]], Any]
    wait: Callable[[Sequence[Any]], Sequence[Any]]
    capacity: Callable[[], int]
    deaths: tuple[type[BaseException], ...]


def attempt(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    """Call a function in a worker and answer, whatever happens.

    Nothing is raised there: engines log what is raised together with the arguments, which may hold paths.
    """
    try:
        return Answer(function(*arguments))
    except CohortsmithError as error:
        return Answer(refused=error)
    except MemoryError:
        return Answer(refused=_out_of_memory())
    except Exception as error:  # one job's fault must not take the others down
        return Answer(broken=_describe(error))


def _out_of_memory() -> CohortsmithError:
    return CohortsmithError(
        "memory ran out",
        remedy="use fewer workers (execution.workers, execution.memory_per_worker_gb), or a coarser copy of this scan",
    )


def _describe(error: Exception) -> str:
    """Name the error and the line it came from, but not its message, which may hold a path or a name."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without the call above
    own = [frame for frame in frames if "cohortsmith" in frame.filename] or list(frames)
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}"
