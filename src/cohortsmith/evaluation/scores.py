"""How well each arm's classifiers tell patients from controls, and what each arm adds to real images alone.

Predictions are a table with one row per arm, seed, test_set and scan: arm, seed, test_set, participant_id, label (0
control, 1 patient), probability (of being a patient). Scans of one subject are averaged first: subjects are judged.
"""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from cohortsmith.errors import StudyError
from cohortsmith.evaluation.intervals import Calls, Uncertain, estimate, interval
from cohortsmith.evaluation.reliability import expected_calibration_error, reliability_curve

ByClass = tuple[pd.DataFrame, pd.DataFrame]


class Difference(NamedTuple):
    """The balanced accuracy of one arm minus the real arm's, on one test set: a row of `compare_arms`.

    low, high: the interval at `confidence` (corrected for the number of arms); seed_variance, subject_variance: of
    the difference's mean, which shrink as 1 / n_seeds and 1 / subjects and add up to standard_error^2; NaN where
    neither would shrink it (`widen_by_folds`, on an external study).
    """

    test_set: str
    arm: str
    difference: float
    low: float
    high: float
    confidence: float
    standard_error: float
    degrees: float
    seed_variance: float
    subject_variance: float
    n_seeds: int
    n_controls: int
    n_patients: int


REFERENCE, CONTROL = "real", "random-labels"
METRICS = (
    *("sensitivity", "specificity", "balanced_accuracy", "auc", "ppv", "npv", "f1", "mcc"),
    *("brier", "calibration_error"),
)


def average_scans(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the probabilities of each subject's scans: one row per arm, seed, test_set and participant_id.

    Raises:
        StudyError: a test set lacks one of the two classes.
    """
    keys = ["arm", "seed", "test_set", "participant_id"]
    subjects = predictions.groupby(keys, sort=False).agg({"label": "first", "probability": "mean"}).reset_index()
    for name, part in subjects.groupby("test_set"):
        if set(part["label"]) != {0, 1}:
            raise StudyError(
                "a test set cannot be judged",
                where=f"test set {name}",
                got=f"labels {sorted(set(part['label']))}",
                expected="controls (0) and patients (1)",
                remedy="add subjects of the other class, or leave the external study out",
            )
    return subjects


def score_runs(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score every run at probability 0.5: one row per test_set, arm and seed, one column per metric.

    0/0 counts as 0, as in ClinicaDL. ppv and npv hold at the test set's share of patients only; brier is the mean
    squared error of the probabilities, calibration_error the expected one in bins of equal width: lower is better.
    """
    runs = average_scans(predictions).groupby(["test_set", "arm", "seed"], sort=False)
    rows = [dict(zip(("test_set", "arm", "seed"), key, strict=True), **_score(run)) for key, run in runs]
    return pd.DataFrame(rows)


def summarise_arms(
    predictions: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> pd.DataFrame:
    """Summarise each arm over its seeds: one row per test_set and arm.

    Columns: n_seeds, n_controls, n_patients; <metric>_mean and <metric>_sd over seeds; low and high, the interval
    of the mean balanced accuracy; standard_error and degrees, from which other intervals follow.
    """
    scores = score_runs(predictions)
    rows = []
    for (test_set, arm), calls in _calls(predictions).items():
        runs = scores[(scores["test_set"] == test_set) & (scores["arm"] == arm)]
        moments = {f"{m}_{name}": runs[m].agg(how) for m in METRICS for name, how in _MOMENTS.items()}
        sure = estimate(values_of(calls), n_draws, random)
        rows.append({"test_set": test_set, "arm": arm, **_counts(calls), **moments, **_bounds(sure, confidence)})
    return pd.DataFrame(rows)


def compare_arms(
    predictions: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> pd.DataFrame:
    """Compare the balanced accuracy of each arm with the real arm's, paired by seed and subject.

    One row (`Difference`) per test_set and arm, neither the real nor the random-label arm. With m arms on a test set
    every interval is at 1 - (1 - confidence) / m (Bonferroni), so all m hold together at `confidence`.
    """
    pairs = pair_arms(predictions)
    arms_of = Counter(test_set for test_set, _ in pairs)
    rows = []
    for (test_set, arm), paired in pairs.items():
        sure = estimate(values_of(paired), n_draws, random)
        rows.append(_compared(test_set, arm, paired, sure, 1 - (1 - confidence) / arms_of[test_set]))
    return pd.DataFrame(rows, columns=list(Difference._fields))


def pair_arms(predictions: pd.DataFrame) -> dict[tuple[str, str], ByClass]:
    """Subtract the real arm's right calls from each other arm's, per test set and arm.

    Gives (controls, patients), each with one row per seed that both arms have and one column per subject: 1 where
    only the arm is right, -1 where only the real arm is, else 0. The random-label arm, and arms without
    a seed of the real arm's, are left out.
    """
    calls = _calls(predictions)
    pairs = {
        (test_set, arm): _difference(table, calls[test_set, REFERENCE])
        for (test_set, arm), table in calls.items()
        if arm not in (REFERENCE, CONTROL)
    }
    return {key: paired for key, paired in pairs.items() if len(paired[0])}


def values_of(calls: ByClass) -> Calls:
    """Give the bare numbers of controls and of patients: seeds x subjects."""
    return calls[0].to_numpy(dtype=float), calls[1].to_numpy(dtype=float)


_MOMENTS = {"mean": "mean", "sd": "std"}


def _score(run: pd.DataFrame) -> dict[str, float]:
    labels, called = run["label"], (run["probability"] >= 0.5).astype(int)
    curve = reliability_curve(labels.to_numpy(), run["probability"].to_numpy())
    return {
        "sensitivity": float(recall_score(labels, called, zero_division=0)),
        "specificity": float(recall_score(labels, called, pos_label=0, zero_division=0)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, called)),
        "auc": float(roc_auc_score(labels, run["probability"])),
        "ppv": float(precision_score(labels, called, zero_division=0)),
        "npv": float(precision_score(labels, called, pos_label=0, zero_division=0)),
        "f1": float(f1_score(labels, called, zero_division=0)),
        "mcc": float(matthews_corrcoef(labels, called)),
        "brier": float(brier_score_loss(labels, run["probability"])),
        "calibration_error": expected_calibration_error(curve),
    }


def _calls(predictions: pd.DataFrame) -> dict[tuple[str, str], ByClass]:
    """Tabulate which calls were right, per test set and arm: controls and patients, each seeds x subjects."""
    subjects = average_scans(predictions)
    subjects["right"] = ((subjects["probability"] >= 0.5) == (subjects["label"] == 1)).astype(float)
    return {
        (str(test_set), str(arm)): (_by_seed(rows[rows["label"] == 0]), _by_seed(rows[rows["label"] == 1]))
        for (test_set, arm), rows in subjects.groupby(["test_set", "arm"], sort=False)
    }


def _by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.pivot_table(index="seed", columns="participant_id", values="right")
    if table.isna().to_numpy().any():
        raise StudyError(
            "predictions are incomplete",
            where=f"arm {rows['arm'].iloc[0]}, test set {rows['test_set'].iloc[0]}",
            got=f"{int(table.isna().to_numpy().sum())} missing",
            expected="one per seed and test subject",
            remedy="remove the classifier runs of this arm and run again",
        )
    return table


def _difference(arm: ByClass, reference: ByClass) -> ByClass:
    controls, patients = (
        one.loc[one.index.intersection(other.index)] - other.loc[one.index.intersection(other.index)]
        for one, other in zip(arm, reference, strict=True)
    )
    return controls, patients


def _compared(test_set: str, arm: str, paired: ByClass, sure: Uncertain, level: float) -> dict[str, Any]:
    variances = {"seed_variance": sure.seed_variance, "subject_variance": sure.subject_variance}
    found = {"test_set": test_set, "arm": arm, "difference": sure.value, "confidence": level}
    return {**found, **_bounds(sure, level), **variances, **_counts(paired)}


def _counts(calls: ByClass) -> dict[str, int]:
    return {"n_seeds": len(calls[0]), "n_controls": calls[0].shape[1], "n_patients": calls[1].shape[1]}


def _bounds(sure: Uncertain, confidence: float) -> dict[str, float]:
    low, high = interval(sure, confidence)
    return {"low": low, "high": high, "standard_error": sure.standard_error, "degrees": sure.degrees}
