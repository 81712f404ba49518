"""From the records of finished trainings to what they say of real test subjects, and which of them failed."""

from typing import Any

import pandas as pd

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.evaluation.failed_trainings import find_failed_trainings
from cohortsmith.evaluation.scores import REFERENCE
from cohortsmith.imaging.stored import Stored

from .jobs import TESTS, PlannedJob, is_current

_SAID = ("training_set", "net", "arm", "n_synthetic", "seed", "fold")


def select_runs(jobs: dict[str, PlannedJob], runs: dict[str, Stored]) -> dict[str, Stored]:
    """Give the runs that are planned, without those that other configurations left behind."""
    return {key: runs[key] for key, planned in jobs.items() if is_current(planned, runs.get(key))}


def leave_out_diverged(runs: dict[str, Stored]) -> dict[str, Stored]:
    """Leave out runs that diverged; of a cross-validation the arm's whole repeat, as a repeat tests everybody."""
    repeats = {_repeat_of(run.record) for run in runs.values() if "diverged" in run.record}
    return {key: run for key, run in runs.items() if _repeat_of(run.record) not in repeats}


def list_failed_trainings(runs: dict[str, Stored]) -> pd.DataFrame:
    """Name the trainings that diverged or hardly learned: `evaluation.failed_trainings`."""
    return find_failed_trainings([run.record for run in runs.values()])


def collect_predictions(
    study: StudyConfig, judge: JudgeConfig, partitions: pd.DataFrame, runs: dict[str, Stored]
) -> pd.DataFrame:
    """Tabulate what the runs that did not diverge say: `tabulate_predictions`.

    Raises:
        StudyError: every training on real scans alone diverged.
    """
    judged = leave_out_diverged(runs)
    _refuse_without_reference(runs, judged)
    return tabulate_predictions(study, judge, partitions, judged)


def tabulate_predictions(
    study: StudyConfig, judge: JudgeConfig, partitions: pd.DataFrame, runs: dict[str, Stored]
) -> pd.DataFrame:
    """Give one row per run, test set and scan, in the arms' own order.

    Columns: training_set, net, arm, n_synthetic, seed (in cross-validation the repeat's), fold (missing where there is
    none), test_set, participant_id, label (1 patient), probability.
    """
    by_partition = {str(name): rows for name, rows in partitions.groupby("partition", sort=False)}
    parts = [predictions_of(run.record, study, by_partition[run.record["partition"]]) for run in runs.values()]
    sets = partitions["training_set"].unique()
    names = ("test", "external", *sets, *judge.nets, *(named.name for named in judge.named_arms))
    order = {name: place for place, name in enumerate(names)}
    by = ["training_set", "net", "test_set", "arm", "seed", "fold", "participant_id"]
    numbers = ("seed", "fold", "participant_id")
    table = pd.concat(parts, ignore_index=True).sort_values(
        by, key=lambda column: column if column.name in numbers else column.map(order), ignore_index=True
    )
    return table.astype({"fold": "Int64"})


def _repeat_of(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("training_set", "net", "arm", "seed"))


def _refuse_without_reference(runs: dict[str, Stored], judged: dict[str, Stored]) -> None:
    settings, kept = (
        {_repeat_of(run.record)[:2] for run in some.values() if run.record["arm"] == REFERENCE}
        for some in (runs, judged)
    )
    if settings - kept:
        training_set, net = sorted(settings - kept)[0]
        raise StudyError(
            "there is nothing to compare with: every training on real scans alone diverged",
            where=f"training set {training_set}, {net} network",
            expected="trainings whose loss stays a number",
            remedy="lower classifier.learning_rate (of the optimised network: judge.optimised, or the range of "
            "random_search.learning_rate_exponent)",
        )


def predictions_of(record: dict[str, Any], study: StudyConfig, partition: pd.DataFrame) -> pd.DataFrame:
    """Give one run's rows of `tabulate_predictions`; partition: the rows of its own."""
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
