"""Are synthetic images as unlike one another as real ones are? A collapsed generator draws one image again and again.

Mean similarity of random pairs, as in Odena et al. (2017), who called more alike than real ones a lack of diversity.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cohortsmith.evaluation.structural_similarity import multi_scale_similarity

Images = NDArray[np.float32]
Similarity = Callable[[Images, Images], float]


class PairwiseSimilarity(NamedTuple):
    """Mean similarity over pairs of images of one set, its standard error (over images), and both counts."""

    mean: float
    standard_error: float
    n_images: int
    n_pairs: int


class DiversityComparison(NamedTuple):
    """How alike synthetic images are beside real ones: the difference of mean similarities with its interval."""

    synthetic: PairwiseSimilarity
    real: PairwiseSimilarity
    low: float
    high: float
    confidence: float

    @property
    def difference(self) -> float:
        """Synthetic minus real: above zero where synthetic images are more alike."""
        return self.synthetic.mean - self.real.mean

    def sentence(self) -> str:
        """Word whether the synthetic images are less diverse."""
        word = "are less diverse than" if self.low > 0 else "are not shown to be less diverse than"
        if self.high < 0:
            word = "differ more among themselves than"
        return (
            f"Synthetic images {word} real ones: mean MS-SSIM of two of them {self.synthetic.mean:.3f}, of two real "
            f"ones {self.real.mean:.3f}; difference {self.difference:+z.3f} [{self.low:+z.3f}, {self.high:+z.3f}] at "
            f"{self.confidence:.0%}."
        )


def compare_diversity(
    synthetic: Images,
    real: Images,
    random: np.random.Generator,
    n_pairs: int = 400,
    confidence: float = 0.95,
    similarity: Similarity = multi_scale_similarity,
) -> DiversityComparison:
    """Compare how alike pairs of synthetic (M, *shape) and of real (N, *shape) images of one diagnosis are.

    real: one scan per subject, as scans of one subject are alike. The interval takes images for independent.
    """
    made, taken = (measure_similarity(images, random, n_pairs, similarity) for images in (synthetic, real))
    error = float(np.hypot(made.standard_error, taken.standard_error))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    difference = made.mean - taken.mean
    return DiversityComparison(made, taken, difference - half, difference + half, confidence)


def measure_similarity(
    images: Images, random: np.random.Generator, n_pairs: int = 400, similarity: Similarity = multi_scale_similarity
) -> PairwiseSimilarity:
    """Average the similarity of different random pairs of images (n, *shape), n >= 3; all pairs where there are fewer.

    Standard error: over images, since pairs that share an image are not independent (Aronow et al., 2015, equation 4).
    """
    pairs = _draw_pairs(len(images), n_pairs, random)
    values = np.array([similarity(np.asarray(images[i]), np.asarray(images[j])) for i, j in pairs])
    return PairwiseSimilarity(float(values.mean()), _standard_error(pairs, values), len(images), len(pairs))


def _draw_pairs(n: int, n_pairs: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw different pairs i < j of n images: (n_pairs, 2)."""
    total = n * (n - 1) // 2
    drawn = random.choice(total, min(n_pairs, total), replace=False)
    # the pairs (0, 1), (0, 2), (1, 2), (0, 3), ... are numbered from 0: j begins at j (j - 1) / 2
    larger = ((1 + np.sqrt(1 + 8 * drawn)) // 2).astype(np.int64)
    return np.stack([drawn - larger * (larger - 1) // 2, larger], axis=1)


def _standard_error(pairs: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    deviations = values - values.mean()
    of_image = np.bincount(pairs.ravel(), weights=np.repeat(deviations, 2))
    alone = float(np.sum(deviations**2))
    # sharing images makes pairs alike, never unlike: the sum is at least what independent pairs would give
    return float(np.sqrt(max(float(np.sum(of_image**2)) - alone, alone))) / len(values)
