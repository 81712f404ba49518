"""Train every job of the grid, in parallel and resumable, and gather what the classifiers say of real test subjects."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.execution import run_items
from cohortsmith.imaging.stored import Stored
from cohortsmith.models.classifier_training import ArmJob, run_arm

from .jobs import TESTS, PlannedJob

_SAID = ("training_set", "net", "arm", "n_synthetic", "seed", "fold")


def train_classifiers(
    jobs: dict[str, PlannedJob], done: dict[str, Stored], execution: ExecutionConfig
) -> Iterator[dict[str, Stored | None]]:
    """Train one classifier per planned job, unless the same one is there; save each the moment it is done.

    Raises:
        CohortsmithError: the first one that stopped a training, once all others are saved.
    """
    yield {key: None for key in done if key not in jobs}
    todo = {key: (planned.job,) for key, planned in jobs.items() if not is_current(planned, done.get(key))}
    failed = []
    for outcome in run_items(train_one, todo, execution=execution, title="train classifiers"):
        if outcome.error:
            failed.append(outcome.error)
            continue
        planned = jobs[outcome.key]
        yield {outcome.key: Stored({**planned.about, **outcome.value, "fingerprint": planned.fingerprint})}
    if failed:
        raise failed[0]


def is_current(planned: PlannedJob, run: Stored | None) -> bool:
    """Say whether a run is the planned one."""
    return run is not None and run.record.get("fingerprint") == planned.fingerprint


def train_one(job: ArmJob) -> dict[str, Any]:
    """Train and test one arm with one seed in a worker process; give plain values."""
    outcome = run_arm(job)
    return {
        "best_step": outcome.best_step,
        "history": [row._asdict() for row in outcome.history],
        "probabilities": {name: values.tolist() for name, values in outcome.probabilities.items()},
    }


def collect_predictions(
    study: StudyConfig, judge: JudgeConfig, partitions: pd.DataFrame, runs: dict[str, Stored]
) -> pd.DataFrame:
    """Give one row per run, test set and scan, in the arms' own order.

    Columns: training_set, net, arm, n_synthetic, seed (in cross-validation the repeat's), fold (missing where there is
    none), test_set, participant_id, label (1 patient), probability.
    """
    by_partition = {str(name): rows for name, rows in partitions.groupby("partition", sort=False)}
    parts = [_predictions_of(run.record, study, by_partition[run.record["partition"]]) for run in runs.values()]
    sets = partitions["training_set"].unique()
    names = ("test", "external", *sets, *judge.nets, *(named.name for named in judge.named_arms))
    order = {name: place for place, name in enumerate(names)}
    by = ["training_set", "net", "test_set", "arm", "seed", "fold", "participant_id"]
    numbers = ("seed", "fold", "participant_id")
    table = pd.concat(parts, ignore_index=True).sort_values(
        by, key=lambda column: column if column.name in numbers else column.map(order), ignore_index=True
    )
    return table.astype({"fold": "Int64"})


def _predictions_of(record: dict[str, Any], study: StudyConfig, partition: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for test_set in TESTS:
        rows = partition[partition["split"] == test_set]
        if len(rows):
            found = {
                "test_set": test_set,
                "participant_id": rows["participant_id"].to_numpy(),
                "label": (rows["diagnosis"] == study.labels[1]).to_numpy(dtype=int),
                "probability": record["probabilities"][test_set],
            }
            parts.append(pd.DataFrame({**{name: record[name] for name in _SAID}, **found}))
    return pd.concat(parts, ignore_index=True).astype({"fold": float})
