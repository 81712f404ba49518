"""Draw some of a group's subjects so that they are like the others: a bounded, seeded search among random draws.

Each draw is systematic within sites: over all draws every subject is taken with the same probability, and every site
gives its share to within one subject, however few it has. Among the draws, age and sex decide.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

# Numbers drawn at a time: bounds the memory, whatever the number of candidates.
_BLOCK = 2_000_000


class Traits(NamedTuple):
    """What n subjects shall be alike in; whatever is not to be matched is unknown for all.

    ages: (n,) years, NaN if unknown. sexes: (n, k), one column per sex, a row of zeros if unknown.
    sites: (n,) numbers, from the largest site to the smallest.
    """

    ages: Floats
    sexes: Floats
    sites: NDArray[np.int64]


def read_traits(subjects: pd.DataFrame, match: tuple[str, ...]) -> Traits:
    """Read what is to be matched from one row per subject."""
    n = len(subjects)
    ages = pd.to_numeric(subjects["age"], errors="coerce").to_numpy(float) if "age" in match else np.full(n, np.nan)
    sexes = pd.get_dummies(known(subjects, "sex")).to_numpy(float) if "sex" in match else np.zeros((n, 0))
    sites = known(subjects, "site").fillna("n/a") if "site" in match else pd.Series("n/a", index=subjects.index)
    counts = sites.value_counts()
    order = sorted(counts.index, key=lambda site: (-counts[site], site))
    return Traits(ages, sexes, sites.map({site: place for place, site in enumerate(order)}).to_numpy(np.int64))


def known(subjects: pd.DataFrame, name: str) -> pd.Series:
    """Give a column as text, missing where it is unknown or the table has none."""
    if name not in subjects:
        return pd.Series(pd.NA, index=subjects.index, dtype="string")
    texts = subjects[name].astype("string").str.strip()
    return texts.mask(texts.isin(["", "n/a"]))


def draw_alike(traits: Traits, size: int, candidates: int, random: np.random.Generator) -> Masks:
    """Draw `size` subjects: of all candidates the one whose smaller p-value of age and sex is largest, (n,).

    More candidates of the same generator never match worse.
    """
    n = len(traits.ages)
    if not 0 < size < n:
        return np.full(n, size > 0)
    best, best_p = np.zeros(n, dtype=bool), -1.0
    block = max(1, _BLOCK // n)
    for start in range(0, candidates, block):
        masks = draw_candidates(traits.sites, size, min(block, candidates - start), random)
        p_values = np.minimum(p_ages(masks, traits.ages), p_sexes(masks, traits.sexes))
        winner = int(p_values.argmax())
        if p_values[winner] > best_p:
            best, best_p = masks[winner], float(p_values[winner])
    return best


def draw_candidates(sites: NDArray[np.int64], size: int, count: int, random: np.random.Generator) -> Masks:
    """Draw `size` of n subjects `count` times, (count, n): random order within sites, then systematic sampling."""
    n = len(sites)
    draws = random.random((count, n + 1))
    order = np.argsort(sites + draws[:, 1:], axis=1)
    starts = np.minimum((draws[:, :1] * n).astype(np.int64), n - 1)
    # Integers: a rounding error must not change how many are taken.
    taken = np.diff((np.arange(n + 1) * size + starts) // n, axis=1) > 0
    masks = np.empty_like(taken)
    np.put_along_axis(masks, order, taken, axis=1)
    return masks


def p_ages(masks: Masks, ages: Floats) -> Floats:
    """Test per row whether the drawn subjects' ages differ: two-sided Student t-test, equal variances, (count,).

    1 where a side has fewer than 2 known ages or all ages are equal.
    """
    available = np.isfinite(ages)
    if available.sum() < 4 or np.ptp(ages[available]) == 0:
        return np.ones(len(masks))
    centred = np.where(available, ages, 0.0) - np.where(available, ages[available].mean(), 0.0)
    moments = np.stack([available, centred, centred**2], axis=1).astype(float)
    drawn = masks @ moments
    (n1, s1, q1), (n2, s2, q2) = drawn.T, (moments.sum(axis=0) - drawn).T
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (q1 - s1**2 / n1) + (q2 - s2**2 / n2)
        t = (s1 / n1 - s2 / n2) / np.sqrt(squares / (n1 + n2 - 2) * (1 / n1 + 1 / n2))
        p_values = 2 * special.stdtr(n1 + n2 - 2, -np.abs(t))
    return np.where((n1 >= 2) & (n2 >= 2) & np.isfinite(p_values), p_values, 1.0)


def p_sexes(masks: Masks, sexes: Floats) -> Floats:
    """Test per row whether the drawn subjects' sexes differ: chi-square on counts, uncorrected, (count,).

    1 where there is one sex only, or a side has no known sex.
    """
    totals = sexes.sum(axis=0)
    if len(totals) < 2:
        return np.ones(len(masks))
    drawn = masks @ sexes
    taken = drawn.sum(axis=1, keepdims=True)
    n = totals.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        # Both sides of a column are equally far from what is expected, so that one sum stands for both.
        squares = (drawn - taken * totals / n) ** 2
        statistic = (squares / totals * (n / taken + n / (n - taken))).sum(axis=1)
    p_values = special.chdtrc(len(totals) - 1, statistic)
    return np.where((taken[:, 0] > 0) & (taken[:, 0] < n), p_values, 1.0)
