"""Train every job of the grid, in parallel and resumable; the tracker hears of each one as soon as it is done."""

import logging
import shutil
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import CohortsmithError, TrainingError
from cohortsmith.execution import run_items
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_file import read_about, write_classifier
from cohortsmith.models.classifier_training import run_arm
from cohortsmith.records import TrackedRun

from .jobs import Networks, PlannedJob, is_current
from .tracked_classifiers import track_classifier

log = logging.getLogger(__name__)
Saved = tuple[dict[str, Stored], list[TrackedRun]]


def train_early_classifiers(
    study: StudyConfig,
    networks: Networks,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    done: dict[str, Stored],
    execution: ExecutionConfig,
    folder: Path,
) -> Iterator[Saved]:
    """Train what needs neither generators nor a search: `train_classifiers`, but for errors, which stop nothing here.

    What failed is tried again with the other classifiers. Weights that saw a subject who is not in the study any more,
    or that do not say whom, are removed from the folder.
    """
    _remove_withdrawn(folder, set(partitions.loc[partitions["split"] != "external", "participant_id"]))
    for error in (yield from _train(study, networks, partitions, jobs, done, execution, {})):
        log.warning("tried again later: %s", error)


def train_classifiers(
    study: StudyConfig,
    networks: Networks,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    done: dict[str, Stored],
    execution: ExecutionConfig,
    early: Mapping[str, PlannedJob],
) -> Iterator[Saved]:
    """Train one classifier per planned job, unless the same one is there; save and track each the moment it is done.

    That a training diverged is a result too: the same one would diverge again. What other configurations trained stays.
    early: jobs that this run has tracked already, if they are done.

    Raises:
        CohortsmithError: the first one that stopped a training for another reason, once all others are saved.
    """
    failed = yield from _train(study, networks, partitions, jobs, done, execution, early)
    if failed:
        raise failed[0]


def train_one(planned: PlannedJob) -> dict[str, Any]:
    """Train and test one arm with one seed in a worker process, which keeps the weights; give plain values."""
    outcome = run_arm(planned.job)
    if planned.weights is not None and outcome.fit is not None:
        about = {**planned.about, "fingerprint": planned.fingerprint, "subjects": planned.subjects}
        write_classifier(planned.weights, outcome.fit, about)
    return {
        "best_step": outcome.best_step,
        "history": [row._asdict() for row in outcome.history],
        "probabilities": {name: values.tolist() for name, values in outcome.probabilities.items()},
    }


def _train(
    study: StudyConfig,
    networks: Networks,
    partitions: pd.DataFrame,
    jobs: dict[str, PlannedJob],
    done: dict[str, Stored],
    execution: ExecutionConfig,
    told: Mapping[str, PlannedJob],
) -> Generator[Saved, None, list[CohortsmithError]]:
    """Train what is not there, and give the errors; told: jobs of which the tracker has heard, if they are done."""
    rows_of = {str(name): rows for name, rows in partitions.groupby("partition", sort=False)}
    current = {key: done[key] for key, planned in jobs.items() if is_current(planned, done.get(key))}
    yield {}, [_tracked(study, networks, rows_of, run.record) for key, run in current.items() if key not in told]
    todo = {key: (planned,) for key, planned in jobs.items() if key not in current}
    failed = []
    try:
        for outcome in run_items(train_one, todo, execution=execution, title="train classifiers"):
            if outcome.error and not isinstance(outcome.error, TrainingError):
                failed.append(outcome.error)
                continue
            planned, found = jobs[outcome.key], {"diverged": outcome.error.what} if outcome.error else outcome.value
            record = {**planned.about, **found, "fingerprint": planned.fingerprint}
            yield {outcome.key: Stored(record)}, [_tracked(study, networks, rows_of, record)]
    except CohortsmithError as error:  # of jobs that stopped for a reason that nobody foresaw, once all are done
        failed.append(error)
    return failed


def _remove_withdrawn(folder: Path, subjects: set[str]) -> None:
    for part in folder.glob(".*.safetensors.part"):  # of a training that was killed while it wrote
        shutil.rmtree(part)
    for file in folder.glob("*.safetensors"):
        seen = read_about(file).get("subjects")
        if seen is None or set(seen) - subjects:
            file.unlink()


def _tracked(
    study: StudyConfig, networks: Networks, rows_of: dict[str, pd.DataFrame], record: dict[str, Any]
) -> TrackedRun:
    return track_classifier(study, networks, rows_of[record["partition"]], record)
