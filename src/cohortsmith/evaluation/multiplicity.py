"""Correct p-values for the number of questions asked: looking at many arms, one of them wins by chance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bonferroni(p_values: ArrayLike) -> NDArray[np.float64]:
    """Multiply each p-value by how many there are, at most 1; NaN is no question and stays NaN."""
    p = np.asarray(p_values, dtype=float)
    adjusted: NDArray[np.float64] = np.minimum(p * np.isfinite(p).sum(), 1)
    return adjusted


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values step by step (Holm, 1979): never above Bonferroni's, and holding under any dependence.

    The smallest is multiplied by m, the next by m - 1, and so on; none ends below a smaller one. NaN stays NaN.
    """
    p = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted
