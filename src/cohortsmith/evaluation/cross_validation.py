"""Compare arms by repeated k-fold cross-validation: every subject is tested once in each repeat.

Pooled over its folds a repeat is one run on all subjects, so that repeats take the place of seeds and the interval is
that of `evaluation/intervals.py`. It holds for the cohort at hand. All repeats share that cohort as training subjects,
and an arm that depends on who they are has another effect in the next cohort: in simulations at a nominal 0.95 the
pooled interval covered the effect over cohorts 0.76 to 0.99 of the time, that of the corrected resampled t-test (Nadeau
and Bengio, 2003) 0.92 to 1. The wider one is used.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.errors import StudyError
from cohortsmith.evaluation.intervals import Uncertain, interval
from cohortsmith.evaluation.scores import CONTROL, REFERENCE, Difference, average_scans, compare_arms

_RUN = ["test_set", "arm", "seed"]
_OWN = ("pooled_low", "pooled_high", "corrected_low", "corrected_high")


def pool_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """Pool the folds of each repeat into one run on all subjects.

    predictions: as in `evaluation/scores.py`, and fold; seed numbers the repeats.

    Raises:
        StudyError: a subject is tested in two folds of a repeat.
    """
    twice = _count_tested_twice(predictions)
    if twice:
        raise StudyError(
            "cross-validation cannot be judged",
            where="folds",
            got=f"{twice} subjects tested in several folds of one repeat",
            expected="each subject once, with all its scans",
            remedy="make the folds by subject",
        )
    return predictions.drop(columns="fold")


def compare_cross_validated(
    predictions: pd.DataFrame, confidence: float, n_draws: int, random: np.random.Generator
) -> pd.DataFrame:
    """Compare each arm with the real arm over all repeats and folds: rows of `compare_arms`, fit for `give_verdicts`.

    low, high, standard_error and degrees are those of the wider of the two intervals, about the pooled difference.
    Added columns: pooled_low and pooled_high, corrected_low and corrected_high: each one's own interval.

    Raises:
        StudyError: a subject is tested twice in a repeat, or a fold lacks a class.
    """
    return widen_by_folds(compare_arms(pool_folds(predictions), confidence, n_draws, random), predictions)


def widen_by_folds(compared: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Give rows of `compare_arms` the wider of their own interval and that of the corrected resampled t-test.

    For subjects that every fold tests (an external study) as well: the folds of a repeat share most of their training
    subjects, and so are no independent runs. n_seeds becomes the number of repeats that an arm and the real one both
    have. The corrected variance hardly shrinks with repeats; with subjects as 1 / n where folds test and train on the
    same ones, else it is not known.
    """
    differences, n_folds = _difference_per_fold(predictions), predictions["fold"].nunique()
    is_external, repeats = _count_tested_twice(predictions) > 0, _count_shared_repeats(predictions)
    rows = [
        _with_second_opinion(
            row._replace(n_seeds=repeats[row.arm]),
            corrected_resampled(differences[row.test_set, row.arm], n_folds),
            is_external=is_external,
        )
        for row in (Difference(*values) for values in compared.itertuples(index=False))
    ]
    return pd.DataFrame(rows, columns=[*Difference._fields, *_OWN])


def corrected_resampled(differences: NDArray[np.float64], n_folds: int) -> Uncertain:
    """Estimate the mean of J differences, one per repeat and fold, for the corrected resampled t-test.

    Variance (1 / J + n_test / n_train) s^2 with n_test / n_train = 1 / (k - 1) in k folds, and J - 1 degrees of
    freedom: Nadeau and Bengio (2003), section 5; for repeated folds Bouckaert and Frank (2004).
    """
    n = len(differences)
    variance = (1 / n + 1 / (n_folds - 1)) * float(np.var(differences, ddof=1))
    return Uncertain(float(np.mean(differences)), 0.0, variance, n - 1)


def _with_second_opinion(row: Difference, corrected: Uncertain, *, is_external: bool) -> dict[str, Any]:
    low, high = interval(corrected, row.confidence)
    own = dict(zip(_OWN, (row.low, row.high, low, high), strict=True))
    if high - low > row.high - row.low:
        low, high = interval(corrected._replace(value=row.difference), row.confidence)
        error, degrees = corrected.standard_error, corrected.degrees
        row = row._replace(low=low, high=high, standard_error=error, degrees=degrees)
        shares = (np.nan, np.nan) if is_external else (0.0, error**2)
        row = row._replace(seed_variance=shares[0], subject_variance=shares[1])
    return {**row._asdict(), **own}


def _count_tested_twice(predictions: pd.DataFrame) -> int:
    """Count the subjects of a repeat that several of its folds test."""
    folds = predictions.groupby([*_RUN, "participant_id"])["fold"].nunique()
    return int((folds > 1).sum())


def _count_shared_repeats(predictions: pd.DataFrame) -> dict[str, int]:
    repeats = {str(arm): set(rows["seed"]) for arm, rows in predictions.groupby("arm")}
    return {arm: len(own & repeats[REFERENCE]) for arm, own in repeats.items()}


def _difference_per_fold(predictions: pd.DataFrame) -> dict[tuple[str, str], NDArray[np.float64]]:
    scores = {fold: _balanced_accuracies(rows) for fold, rows in predictions.groupby("fold")}
    table = pd.concat(scores, names=["fold"]).unstack("arm")
    arms = table.drop(columns=[REFERENCE, CONTROL], errors="ignore").sub(table[REFERENCE], axis=0)
    return {
        (str(test_set), str(arm)): rows[arm].dropna().to_numpy()
        for test_set, rows in arms.groupby(level="test_set")
        for arm in arms
    }


def _balanced_accuracies(predictions: pd.DataFrame) -> pd.Series:
    subjects = average_scans(predictions)
    right = ((subjects["probability"] >= 0.5) == (subjects["label"] == 1)).astype(float)
    by_class = right.groupby([subjects[name] for name in (*_RUN, "label")]).mean()
    return by_class.groupby(level=_RUN).mean()
