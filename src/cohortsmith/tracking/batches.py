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
METRICS_AT_ONCE = 1000

T = TypeVar("T")


def log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, str]) -> None:
    """Log flat parameters."""
    for batch in _batches([Param(name, value) for name, value in parameters.items()], PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=batch)


def log_metrics(client: MlflowClient, run_id: str, metrics: Mapping[str, float]) -> None:
    """Log final values, one per name."""
    log_curves(client, run_id, {name: [value] for name, value in metrics.items()})


def log_curves(client: MlflowClient, run_id: str, curves: Mapping[str, Sequence[float]]) -> None:
    """Log one value per step, steps counted from 0."""
    now = int(time.time() * 1000)
    points = [
        Metric(tracked_name(name), float(value), now, step)
        for name, values in curves.items()
        for step, value in enumerate(values)
    ]
    for batch in _batches(points, METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=batch)


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
