"""How large an arm's effect is beside the spread of subjects and of seeds, with p-values corrected for all arms.

The p-value comes from the same estimate as the interval (`evaluation/intervals.py`): it is below 1 - confidence
exactly where the interval excludes zero, and Bonferroni's corrected p-value where the corrected interval does.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.evaluation.intervals import Calls, Uncertain, p_value
from cohortsmith.evaluation.multiplicity import bonferroni, holm
from cohortsmith.evaluation.scores import REFERENCE, Difference, pair_arms, score_runs, values_of

_Scores = dict[tuple[str, str], NDArray[np.float64]]


class EffectSize(NamedTuple):
    """An arm's effect against the real arm on one test set: a row of `size_effects`.

    cohen_dz: the difference divided by its s.d. over subjects (the mean over seeds of each subject's difference;
        variances of the two classes averaged). Cohen calls 0.2 small, 0.5 medium, 0.8 large.
    better_subjects: share of test subjects called better by the arm, ties half, mean of both classes; 0.5 is no
        effect. better_seeds: probability that a run of the arm beats a run of the real arm, ties half (Vargha and
        Delaney, 2000).
    p_value: two-sided; p_holm and p_bonferroni are corrected for the arms of the test set.
    """

    test_set: str
    arm: str
    cohen_dz: float
    better_subjects: float
    better_seeds: float
    p_value: float
    p_holm: float
    p_bonferroni: float


def size_effects(predictions: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    """Size the effect of every row of `compare_arms`: one `EffectSize` each.

    predictions: as in `evaluation/scores.py`; differences: what `compare_arms` made of them.
    """
    compared = [Difference(*row) for row in differences[list(Difference._fields)].itertuples(index=False)]
    pairs, runs = pair_arms(predictions), _scores_of(predictions)
    sized = [_sized(row, values_of(pairs[row.test_set, row.arm]), runs) for row in compared]
    table = pd.DataFrame(sized, columns=list(EffectSize._fields))
    of_test_set = table.groupby("test_set", sort=False)["p_value"]
    return table.assign(p_holm=of_test_set.transform(holm), p_bonferroni=of_test_set.transform(bonferroni))


def cohen_dz(calls: Calls) -> float:
    """Divide the mean difference by its s.d. over subjects (n - 1); 0 where both are zero.

    calls: differences between arms, of controls and of patients: (seeds, subjects of the class).
    """
    subjects = [by_class.mean(axis=0) for by_class in calls]
    mean = float(np.mean([values.mean() for values in subjects]))
    spread = float(np.sqrt(np.mean([values.var(ddof=1) for values in subjects])))
    if spread == 0:
        return 0.0 if mean == 0 else float(np.copysign(np.inf, mean))
    return mean / spread


def better_subjects(calls: Calls) -> float:
    """Give the share of subjects that an arm calls better, ties half, mean of both classes; calls as above."""
    return float(np.mean([_share_above(by_class.mean(axis=0), np.zeros(1)) for by_class in calls]))


def better_seeds(arm: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Give the probability that a run's score (n,) beats a reference run's (m,), ties half: over all pairs."""
    return _share_above(arm, reference)


def _share_above(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    above = np.sign(values[:, None] - others)
    return float((above.mean() + 1) / 2)


def _scores_of(predictions: pd.DataFrame) -> _Scores:
    runs = score_runs(predictions).groupby(["test_set", "arm"])["balanced_accuracy"]
    return {(str(test_set), str(arm)): scores.to_numpy() for (test_set, arm), scores in runs}


def _sized(row: Difference, calls: Calls, runs: _Scores) -> EffectSize:
    sure = Uncertain(row.difference, 0.0, row.standard_error**2, row.degrees)
    seeds = better_seeds(runs[row.test_set, row.arm], runs[row.test_set, REFERENCE])
    p = p_value(sure)
    return EffectSize(row.test_set, row.arm, cohen_dz(calls), better_subjects(calls), seeds, p, p, p)
