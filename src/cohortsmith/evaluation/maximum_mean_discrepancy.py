"""Maximum mean discrepancy: do two sets of features come from one law? A kernel two-sample test.

Source: Gretton et al. (2012), "A kernel two-sample test", equation 3 (unbiased estimate), section 8 (median bandwidth,
permutation).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

Features = NDArray[np.float64]

# rows of the kernel matrix held at a time
_ROWS = 512
# the median distance is taken over this many points
_FOR_MEDIAN = 1000


class Discrepancy(NamedTuple):
    """Unbiased squared discrepancy (0 on average under one law, may be negative), kernel width, permutation p-value."""

    squared: float
    bandwidth: float
    p_value: float
    n_permutations: int


def measure_discrepancy(
    one: Features, other: Features, random: np.random.Generator, n_permutations: int = 499
) -> Discrepancy:
    """Estimate the squared discrepancy of features (N, d) and (M, d), at least two each, and test it.

    Kernel exp(-|x - y|^2 / (2 h^2)) with h the median distance of the pooled points. The test takes images for
    independent: give one scan per subject.
    """
    points = np.concatenate([one, other])
    bandwidth = median_distance(points, random)
    members = np.zeros((len(points), n_permutations + 1))
    members[: len(one), 0] = 1
    members[:, 1:] = random.permuted(np.repeat(members[:, :1], n_permutations, axis=1), axis=0)
    squared = _discrepancies(points, members, bandwidth)
    as_large = int(np.sum(squared[1:] >= squared[0]))
    return Discrepancy(float(squared[0]), bandwidth, (1 + as_large) / (1 + n_permutations), n_permutations)


def median_distance(points: Features, random: np.random.Generator) -> float:
    """Give the median distance between differing points, of at most a thousand drawn at random; 1 if all are equal."""
    chosen = random.choice(len(points), min(len(points), _FOR_MEDIAN), replace=False)
    distances = pdist(points[chosen])
    return float(np.median(distances[distances > 0])) if distances.any() else 1.0


def _discrepancies(points: Features, members: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Give one squared discrepancy per column of `members`, which marks the first set's points with 1."""
    within, row_sums = np.zeros(members.shape[1]), np.zeros(members.shape[1])
    total = 0.0
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        kernel = rbf_kernel(points[rows], points, gamma=1 / (2 * bandwidth**2))
        within += np.sum(members[rows] * (kernel @ members), axis=0)
        row_sums += kernel.sum(axis=1) @ members[rows]
        total += float(kernel.sum())
    n, m = members[:, 0].sum(), (1 - members[:, 0]).sum()
    across = row_sums - within
    outside = total - 2 * row_sums + within
    # the diagonal, where the kernel is 1, is left out of both sets' means
    inside = (within - n) / (n * (n - 1)) + (outside - m) / (m * (m - 1))
    squared: NDArray[np.float64] = inside - 2 * across / (n * m)
    return squared
