"""The area under a ROC curve when one subject gives several scores, with an interval over subjects."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cohortsmith.evaluation.intervals import satterthwaite

Scores = NDArray[np.float64]


class Scored(NamedTuple):
    """Scores (n,), and the subject that each belongs to (n,)."""

    scores: Scores
    subjects: NDArray[np.str_]


class Area(NamedTuple):
    """Probability that a positive scores above a negative, ties half, with its interval, cut off at 0 and 1."""

    value: float
    low: float
    high: float


def clustered_area(positives: Scored, negatives: Scored, confidence: float) -> Area:
    """Estimate the area; no subject is in both groups, and each group has two at least.

    Variance between subjects: Obuchowski (1997), which with one score a subject is that of DeLong et al. (1988). It is
    at least what one subject of each group placed at the other's median would bring, so that perfect separation of
    a handful is not taken for certainty. Student quantile with Satterthwaite's degrees of freedom.
    """
    ranks = _placements(positives.scores, negatives.scores), 1 - _placements(negatives.scores, positives.scores)
    value = float(ranks[0].mean())
    parts = [_variance(rank, scored.subjects) for rank, scored in zip(ranks, (positives, negatives), strict=True)]
    half = float(stats.t.ppf((1 + confidence) / 2, satterthwaite(parts))) * sum(part[0] for part in parts) ** 0.5
    return Area(value, max(value - half, 0.0), min(value + half, 1.0))


def _placements(scores: Scores, others: Scores) -> Scores:
    """Give the share of the others that each score is above, ties half."""
    ordered = np.sort(others)
    below, not_above = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return (below + not_above) / (2 * len(others))


def _variance(placements: Scores, subjects: NDArray[np.str_]) -> tuple[float, int]:
    """Give the variance that one group's subjects bring, and its degrees of freedom."""
    _, index = np.unique(subjects, return_inverse=True)
    deviations = np.bincount(index, weights=placements - placements.mean())
    n = len(deviations)
    variance = float(n / (n - 1) * np.sum(deviations**2)) / len(placements) ** 2
    return max(variance, 1 / (4 * n**2)), n - 1
