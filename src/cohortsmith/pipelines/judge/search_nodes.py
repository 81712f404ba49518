"""Search for the architecture of the optimised network, on the subjects of the full training set alone."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.classifier import CustomConfig
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import TrainingError
from cohortsmith.evaluation.leakage import person_of
from cohortsmith.evaluation.sessions import in_order
from cohortsmith.execution import run_items
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_batches import Labelled
from cohortsmith.models.classifier_random_search import (
    Fold,
    Trial,
    best_architecture,
    conclude,
    plan_trials,
    stratified_folds,
    train_fold,
)
from cohortsmith.records import TrackedRun


class SearchJob(NamedTuple):
    """One architecture on one fold, and the fingerprint of everything that its score depends on."""

    trial: Trial
    data: Labelled
    fold: Fold
    seed: int
    fingerprint: str


class Search(NamedTuple):
    """A whole search: its space, the images' shape, the seed of the draws, and its jobs."""

    space: RandomSearchConfig
    shape: tuple[int, ...]
    seed: int
    jobs: dict[str, SearchJob]


def plan_search(
    study: StudyConfig, space: RandomSearchConfig, splits: pd.DataFrame, images: NDArray[np.float32], seed: int
) -> Search:
    """Draw the architectures and share out the full training set's subjects, one scan each, into folds."""
    within = in_order(splits[splits["training_set"].notna()])
    subjects = within[~within["participant_id"].map(person_of).duplicated()]
    labels = (subjects["diagnosis"] == study.labels[1]).to_numpy(dtype=np.int64)
    # A memory map would travel to the worker with all its voxels; its file name does not.
    data = Labelled(Path(str(images.filename)), labels, subjects.index.to_numpy())  # type: ignore[attr-defined]
    folds = stratified_folds(labels, space.n_folds, seed)
    people = fingerprint(subjects[["key", "diagnosis", "fingerprint"]].to_dict("list"))
    jobs = {}
    for trial in plan_trials(space, images.shape[1:], seed):
        mark = fingerprint("search", trial.config, trial.fold, space.n_folds, people, seed)
        jobs[trial.key] = SearchJob(trial, data, folds[trial.fold], seed, mark)
    return Search(space, images.shape[1:], seed, jobs)


def search_architectures(
    search: Search, done: dict[str, Stored], execution: ExecutionConfig
) -> Iterator[dict[str, Stored | None]]:
    """Train every architecture on every fold that has no score yet; save each score the moment it is there.

    What other configurations searched stays.

    An architecture whose training diverges has no score on that fold, and is out.

    Raises:
        CohortsmithError: the first one that stopped a training for another reason, once all others are saved.
    """
    yield {}
    todo = {
        key: (job.data, job.fold, job.trial.config, job.seed)
        for key, job in search.jobs.items()
        if key not in done or done[key].record.get("fingerprint") != job.fingerprint
    }
    failed = []
    for outcome in run_items(train_fold, todo, execution=execution, title="search for an architecture"):
        if outcome.error and not isinstance(outcome.error, TrainingError):
            failed.append(outcome.error)
            continue
        mark = search.jobs[outcome.key].fingerprint
        yield {outcome.key: Stored({"score": outcome.value, "fingerprint": mark})}
    if failed:
        raise failed[0]


def choose_architecture(search: Search, records: dict[str, Stored]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Give the winner, and a table of all architectures: number, mean score, one column per fold and per choice."""
    scores = _scores(records)
    study = conclude(search.space, search.shape, search.seed, scores)
    rows = [
        {
            "architecture": one.number,
            "balanced_accuracy": math.nan if one.value is None else one.value,
            **{f"fold_{k}": scores.get(Trial.name(one.number, k), math.nan) for k in range(search.space.n_folds)},
            **one.params,
        }
        for one in study.trials
    ]
    winner = best_architecture(search.space, search.shape, search.seed, scores)
    return winner.model_dump(mode="json"), pd.DataFrame(rows)


def track_search(study: StudyConfig, search: Search, architectures: pd.DataFrame) -> list[TrackedRun]:
    """Describe every architecture as one child run: what it is, and its mean score over the folds."""
    shared = {"study": study.name, "labels": "-".join(study.labels), "seed": search.seed}
    configs = {job.trial.architecture: job.trial.config for job in search.jobs.values()}
    return [_tracked(row, configs[row["architecture"]], shared) for row in architectures.to_dict("records")]


def _tracked(row: dict[str, Any], config: CustomConfig, shared: dict[str, Any]) -> TrackedRun:
    folds = {name: value for name, value in row.items() if str(name).startswith("fold_")}
    numbers = {"validation.balanced_accuracy": row["balanced_accuracy"]}
    numbers |= {f"validation.balanced_accuracy.{name}": value for name, value in folds.items()}
    return TrackedRun(
        name=f"architecture {row['architecture']}",
        params={
            "kind": "random-search",
            **shared,
            "architecture": row["architecture"],
            **config.model_dump(exclude={"kind"}),
        },
        metrics={name: float(value) for name, value in numbers.items() if math.isfinite(value)},
        curves={},
    )


def _scores(records: dict[str, Stored]) -> dict[str, float]:
    known = {key: stored.record["score"] for key, stored in records.items()}
    return {key: math.nan if score is None else float(score) for key, score in known.items()}
