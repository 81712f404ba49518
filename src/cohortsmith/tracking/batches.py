"""Many values in few requests: one SQLite transaction for hundreds of epochs."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from cohortsmith.tracking.flat_parameters import tracked_name

PARAMETERS_AT_ONCE = 100  # limits of the server: mlflow.utils.validation
ENTITIES_AT_ONCE = 1000

T = TypeVar("T")


def log_values(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, str] = {},
    metrics: Mapping[str, float] = {},
    curves: Mapping[str, Sequence[float]] = {},
) -> None:
    """Log flat parameters, final values (one per name) and curves (one value per step, counted from 0), in this order.

    A run of usual size is one request: each is a transaction, and a disk's sync, of its own.
    """
    given = [Param(name, value) for name, value in parameters.items()]
    points = _points({**{name: [value] for name, value in metrics.items()}, **curves})
    room = ENTITIES_AT_ONCE - PARAMETERS_AT_ONCE
    client.log_batch(run_id, params=given[:PARAMETERS_AT_ONCE], metrics=points[:room])
    for batch in _batches(given[PARAMETERS_AT_ONCE:], PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=batch)
    for batch in _batches(points[room:], ENTITIES_AT_ONCE):
        client.log_batch(run_id, metrics=batch)


def _points(curves: Mapping[str, Sequence[float]]) -> list[Metric]:
    now = int(time.time() * 1000)
    return [
        Metric(tracked_name(name), float(value), now, step)
        for name, values in curves.items()
        for step, value in enumerate(values)
    ]


def log_figures(client: MlflowClient, run_id: str, figures: Mapping[str, bytes]) -> None:
    """Add pictures under `figures/`, by file name."""
    if not figures:
        return
    with tempfile.TemporaryDirectory(prefix="cohortsmith-") as folder:
        for name, picture in figures.items():
            (Path(folder) / Path(name).name).write_bytes(picture)
        client.log_artifacts(run_id, folder, "figures")


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
