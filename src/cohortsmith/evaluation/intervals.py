"""How sure a balanced accuracy, or a difference of two, is: some seeds judged on some test subjects.

Both the seeds and the subjects are samples, and every seed is judged on the same subjects. Each of the two is
resampled on its own and the variances are added, which counts the part that belongs to neither twice: the interval
errs on the wide side. (Resampling both at once counts it three times: Owen, 2007, "The pigeonhole bootstrap".)
n - 1 of n units are drawn, which makes the bootstrap variance unbiased (Rao and Wu, 1988); few seeds are paid for
with a Student quantile whose degrees of freedom are Satterthwaite's (1946).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Calls = tuple[NDArray[np.float64], NDArray[np.float64]]


class Uncertain(NamedTuple):
    """An estimate with the variance that each of its two sources brings, and degrees of freedom."""

    value: float
    seed_variance: float
    subject_variance: float
    degrees: float

    @property
    def standard_error(self) -> float:
        """Square root of both variances together."""
        return float(np.sqrt(self.seed_variance + self.subject_variance))


def estimate(calls: Calls, n_draws: int, random: np.random.Generator) -> Uncertain:
    """Estimate a balanced accuracy, or a difference of two, from what the seeds called.

    calls: for controls and for patients, (seeds, subjects of the class): 1 where the call is right and 0 where it
        is wrong, or the difference of that between two arms.
    The variance between subjects is at least what one subject called otherwise in each class would bring, so that
    perfect agreement on a handful of subjects is not taken for certainty.
    """
    per_seed = _per_seed(calls)
    seed_variance = float(np.var(_resample(per_seed, n_draws, random)))
    subject_variance = _subject_variance(calls, n_draws, random)
    degrees = satterthwaite([(seed_variance, len(per_seed) - 1), (subject_variance, _subjects(calls) - 2)])
    return Uncertain(float(per_seed.mean()), seed_variance, subject_variance, degrees)


def estimate_contrast(calls: Calls, others: Calls, n_draws: int, random: np.random.Generator) -> Uncertain:
    """Estimate by how much `calls` exceed `others`: other subjects, judged by the same seeds.

    Both as for `estimate`. Subjects are independent, so their variances add; a seed's luck may cancel, so it is the
    seeds' contrasts that are resampled.
    """
    per_seed = _per_seed(calls) - _per_seed(others)
    seed_variance = float(np.var(_resample(per_seed, n_draws, random)))
    variances = [_subject_variance(part, n_draws, random) for part in (calls, others)]
    sizes = [_subjects(part) - 2 for part in (calls, others)]
    degrees = satterthwaite([(seed_variance, len(per_seed) - 1), *zip(variances, sizes, strict=True)])
    return Uncertain(float(per_seed.mean()), seed_variance, sum(variances), degrees)


def interval(uncertain: Uncertain, confidence: float) -> tuple[float, float]:
    """Give the two-sided interval at this confidence, on either side of the value."""
    half = float(stats.t.ppf((1 + confidence) / 2, uncertain.degrees)) * uncertain.standard_error
    return uncertain.value - half, uncertain.value + half


def p_value(uncertain: Uncertain) -> float:
    """Give the two-sided p-value of no effect: 1 - confidence of the interval that just reaches zero."""
    return float(2 * stats.t.sf(abs(uncertain.value) / uncertain.standard_error, uncertain.degrees))


def satterthwaite(parts: list[tuple[float, int]]) -> float:
    """Give the degrees of freedom of a sum of independent variances, each with its own; 1 where none is known."""
    known = [(variance, degrees) for variance, degrees in parts if variance > 0 and degrees > 0]
    if not known:
        return 1.0
    return float(sum(v for v, _ in known) ** 2 / sum(v**2 / degrees for v, degrees in known))


def _per_seed(calls: Calls) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.mean([by_class.mean(axis=1) for by_class in calls], axis=0)
    return means


def _subjects(calls: Calls) -> int:
    return sum(by_class.shape[1] for by_class in calls)


def _subject_variance(calls: Calls, n_draws: int, random: np.random.Generator) -> float:
    draws = np.mean([_resample(by_class.mean(axis=0), n_draws, random) for by_class in calls], axis=0)
    one_subject = sum(by_class.shape[1] ** -2.0 for by_class in calls) / 4
    return max(float(np.var(draws)), float(one_subject))


def _resample(values: NDArray[np.float64], n_draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw means of n - 1 of n values with replacement: (n,) -> (n_draws,); a single value says nothing of spread."""
    n = len(values)
    if n < 2:
        return np.full(n_draws, values.mean())
    means: NDArray[np.float64] = random.multinomial(n - 1, np.full(n, 1 / n), size=n_draws) @ values / (n - 1)
    return means
