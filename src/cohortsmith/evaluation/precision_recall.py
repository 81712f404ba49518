"""Precision, recall, density and coverage: are synthetic images like real ones, and like all of them?

Every set is taken for the union of balls around its points, each as wide as the distance to its k-th neighbour.
Precision and recall: Kynkaanniemi et al. (2019), equations 1 to 3. Density and coverage: Naeem et al. (2020), section
3. Precision and recall depend on how many images there are: compare sets of the same sizes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

Features = NDArray[np.float64]


class ManifoldOverlap(NamedTuple):
    """How two sets of images overlap in a feature space.

    precision: share of synthetic images inside some real image's ball. recall: share of real images inside some
        synthetic image's ball. density: mean number of real balls around a synthetic image, divided by k: 1 when both
        are drawn alike, and above 1 where synthetic images crowd. coverage: share of real images whose ball holds a
        synthetic one; expected_coverage: its mean when both are drawn alike, whatever they look like.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    expected_coverage: float
    n_neighbours: int

    def sentence(self) -> str:
        """Word what the numbers mean."""
        return (
            f"{self.precision:.0%} of synthetic images lie among real ones (precision), {self.recall:.0%} of real "
            f"images among synthetic ones (recall); {self.coverage:.0%} of real images have a synthetic neighbour "
            f"(coverage; {self.expected_coverage:.0%} if both were drawn alike). Density {self.density:.2f} "
            "(1 if drawn alike)."
        )


def measure_overlap(real: Features, synthetic: Features, n_neighbours: int = 5) -> ManifoldOverlap:
    """Measure the overlap of real (N, d) and synthetic (M, d) features, N and M above `n_neighbours`.

    Distances are reckoned in chunks: memory stays bounded whatever N and M.
    """
    k = n_neighbours
    real_radii, synthetic_radii = _radii(real, k), _radii(synthetic, k)
    around_synthetic = _count_balls(synthetic, real, real_radii)
    around_real = _count_balls(real, synthetic, synthetic_radii)
    nearest, _ = NearestNeighbors(n_neighbors=1).fit(synthetic).kneighbors(real)
    return ManifoldOverlap(
        precision=float(np.mean(around_synthetic > 0)),
        recall=float(np.mean(around_real > 0)),
        density=float(around_synthetic.mean() / k),
        coverage=float(np.mean(nearest[:, 0] <= real_radii)),
        expected_coverage=expect_coverage(len(real), len(synthetic), k),
        n_neighbours=k,
    )


def expect_coverage(n_real: int, n_synthetic: int, n_neighbours: int) -> float:
    """Give the mean coverage when real and synthetic images are draws of one continuous law.

    The N - 1 other real and the M synthetic images come in any order of distance alike; a real image is missed when
    its k nearest are all real. For N = M this is Naeem et al. (2020), appendix B.
    """
    steps = np.arange(n_neighbours)
    return float(1 - np.prod((n_real - 1 - steps) / (n_real - 1 + n_synthetic - steps)))


def _radii(points: Features, k: int) -> NDArray[np.float64]:
    distances, _ = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()
    radii: NDArray[np.float64] = distances[:, -1]
    return radii


def _count_balls(points: Features, centres: Features, radii: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the balls that each point lies in."""
    chunks = pairwise_distances_chunked(
        points, centres, reduce_func=lambda chunk, _: np.sum(chunk <= radii, axis=1), working_memory=64
    )
    return np.concatenate(list(chunks))
