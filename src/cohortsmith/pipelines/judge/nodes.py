"""Train every job of the grid, in parallel and resumable; the tracker hears of each one as soon as it is done."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import TrainingError
from cohortsmith.execution import run_items
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_training import ArmJob, run_arm
from cohortsmith.records import TrackedRun

from .jobs import Networks, PlannedJob, is_current
from .tracked_classifiers import track_classifier


def train_classifiers(
    study: StudyConfig,
    networks: Networks,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    done: dict[str, Stored],
    execution: ExecutionConfig,
) -> Iterator[tuple[dict[str, Stored], list[TrackedRun]]]:
    """Train one classifier per planned job, unless the same one is there; save and track each the moment it is done.

    That a training diverged is a result too: the same one would diverge again. What other configurations trained stays.

    Raises:
        CohortsmithError: the first one that stopped a training for another reason, once all others are saved.
    """
    rows_of = {str(name): rows for name, rows in partitions.groupby("partition", sort=False)}
    current = {key: done[key] for key, planned in jobs.items() if is_current(planned, done.get(key))}
    yield {}, [_tracked(study, networks, rows_of, run.record) for run in current.values()]
    todo = {key: (planned.job,) for key, planned in jobs.items() if key not in current}
    failed = []
    for outcome in run_items(train_one, todo, execution=execution, title="train classifiers"):
        if outcome.error and not isinstance(outcome.error, TrainingError):
            failed.append(outcome.error)
            continue
        planned, found = jobs[outcome.key], {"diverged": outcome.error.what} if outcome.error else outcome.value
        record = {**planned.about, **found, "fingerprint": planned.fingerprint}
        yield {outcome.key: Stored(record)}, [_tracked(study, networks, rows_of, record)]
    if failed:
        raise failed[0]


def train_one(job: ArmJob) -> dict[str, Any]:
    """Train and test one arm with one seed in a worker process; give plain values."""
    outcome = run_arm(job)
    return {
        "best_step": outcome.best_step,
        "history": [row._asdict() for row in outcome.history],
        "probabilities": {name: values.tolist() for name, values in outcome.probabilities.items()},
    }


def _tracked(
    study: StudyConfig, networks: Networks, rows_of: dict[str, pd.DataFrame], record: dict[str, Any]
) -> TrackedRun:
    return track_classifier(study, networks, rows_of[record["partition"]], record)
