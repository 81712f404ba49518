"""Can one tell from the synthetic images who was in the training set? Two simple attacks, as a screen.

A training subject should be no closer to the synthetic images than a held-out subject of the same study. Both are asked
in any space that has distances: whole images, codes in latent space, or the generator's reconstructions of real images:
blurred copies are near nobody's image, but near their subject's reconstruction. Failing to find members shows that
these attacks fail, not that every attack does: distance attacks are known to miss what stronger ones find.

A generator is attacked six times, and one success in six is a warning: each attack is at a confidence that makes all
six hold together at 95 % (Bonferroni), whatever their dependence.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.evaluation.area_under_curve import Scored, clustered_area
from cohortsmith.evaluation.copying import nearest

Points = NDArray[Any]

N_ATTACKS = 6  # two attacks, by images, reconstructions and codes
CONFIDENCE = 1 - 0.05 / N_ATTACKS


class RealPoints(NamedTuple):
    """Real images or codes (N, *shape), an array or a memory map, and the subject of each (N,)."""

    points: Points
    subjects: NDArray[np.str_]


class MembershipAttack(NamedTuple):
    """How well the distance to the nearest synthetic image tells training subjects from held-out ones."""

    space: str
    auc: float
    low: float
    high: float
    confidence: float
    n_training: int
    n_held_out: int

    @property
    def succeeds(self) -> bool:
        """Whether the whole interval is above chance."""
        return self.low > 0.5

    def sentence(self) -> str:
        """Word the outcome as the screen that it is."""
        word = "better than chance" if self.succeeds else "not shown to be better than chance"
        return (
            f"Telling {self.n_training} training subjects from {self.n_held_out} held-out ones by their distance to "
            f"the nearest synthetic one ({self.space}): AUC {self.auc:.2f} [{self.low:.2f}, {self.high:.2f}] at "
            f"{self.confidence:.1%}, {word} (0.5). This is a screen: a stronger attack may succeed, and it is no proof "
            "of anonymity."
        )


class NearestShare(NamedTuple):
    """Whether synthetic images lie closer to training than to held-out images.

    table: one row per synthetic image: nearest_training and nearest_held_out (subjects), their distances, ratio
        (training / held-out). closer_share: share with a ratio below 1. expected_share: its mean if it did not matter
        who was in training. p_value: that it is as large by chance; training subjects permuted.
    """

    table: pd.DataFrame
    closer_share: float
    expected_share: float
    p_value: float

    def sentence(self) -> str:
        """Word the outcome as the screen that it is."""
        return (
            f"{self.closer_share:.0%} of {len(self.table)} synthetic images lie closer to a training subject than to "
            f"any held-out one; {self.expected_share:.0%} are expected if nothing was copied (permutation p = "
            f"{self.p_value:.2g}). This is a screen: it is no proof of anonymity."
        )


def attack_membership(
    synthetic: Points, training: RealPoints, held_out: RealPoints, space: str = "images", confidence: float = CONFIDENCE
) -> MembershipAttack:
    """Guess who was in training: the closer to a synthetic point (M, *shape), the likelier (Chen et al., 2020).

    Interval over subjects (`evaluation/area_under_curve.py`); at least two subjects on each side.
    """
    members, others = (Scored(-nearest(side.points, synthetic)[1], side.subjects) for side in (training, held_out))
    area = clustered_area(members, others, confidence)
    counts = len(np.unique(training.subjects)), len(np.unique(held_out.subjects))
    return MembershipAttack(space, *area, confidence, *counts)


def compare_nearest(
    synthetic: Points,
    training: RealPoints,
    held_out: RealPoints,
    random: np.random.Generator,
    n_permutations: int = 999,
) -> NearestShare:
    """Compare each synthetic point's distance to the nearest training point with that to the nearest held-out one."""
    columns: dict[str, Any] = {}
    for name, side in (("training", training), ("held_out", held_out)):
        index, distance = nearest(synthetic, side.points)
        columns |= {f"nearest_{name}": np.asarray(side.subjects)[index], f"distance_{name}": distance}
    table = pd.DataFrame(columns)
    table["ratio"] = table["distance_training"] / table["distance_held_out"]
    closer = table["ratio"] < 1
    attracted = np.where(closer, table["nearest_training"], table["nearest_held_out"])
    counts, is_training = _count_attracted(attracted, training.subjects, held_out.subjects)
    p_value = _permute(counts, is_training, random, n_permutations)
    return NearestShare(table, float(closer.mean()), float(is_training.mean()), p_value)


def _count_attracted(
    attracted: NDArray[np.str_], training: NDArray[np.str_], held_out: NDArray[np.str_]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Count the synthetic points of which each real subject is the nearest."""
    sides = [np.unique(training), np.unique(held_out)]
    counts = pd.Series(attracted).value_counts().reindex(np.concatenate(sides), fill_value=0)
    return counts.to_numpy(), np.repeat([True, False], [len(side) for side in sides])


def _permute(
    counts: NDArray[Any], is_training: NDArray[np.bool_], random: np.random.Generator, n_permutations: int
) -> float:
    drawn = random.permuted(np.tile(is_training, (n_permutations, 1)), axis=1) @ counts
    return float((1 + np.sum(drawn >= is_training @ counts)) / (1 + n_permutations))
