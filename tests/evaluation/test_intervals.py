"""The interval is unbiased, covers what it claims to cover, and never takes little evidence for certainty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cohortsmith.evaluation.intervals import Calls, Uncertain, estimate, estimate_contrast, interval, p_value


def simulate_difference(random: np.random.Generator, n_seeds: int, n_subjects: int, shift: float) -> Calls:
    """Two arms, the same subjects; hard subjects (s.d. 0.7), subjects one arm likes (0.4), lucky seeds (0.4)."""
    seeds = random.normal(0, 0.4, (2, n_seeds, 1))
    by_class = []
    for _ in range(2):
        hard = random.normal(0, 0.7, n_subjects) + random.normal(0, 0.4, (2, 1, n_subjects))
        noise = random.normal(0, 1, (2, n_seeds, n_subjects))
        right = 0.5 + shift * np.array([0, 1])[:, None, None] + seeds + hard + noise > 0
        by_class.append(right[1].astype(float) - right[0])
    return by_class[0], by_class[1]


def true_difference(shift: float) -> float:
    spread = np.sqrt(1 + 0.4**2 + 0.7**2 + 0.4**2)
    return float(stats.norm.cdf((0.5 + shift) / spread) - stats.norm.cdf(0.5 / spread))


@pytest.mark.statistical
@pytest.mark.parametrize(("n_seeds", "n_subjects"), [(3, 12), (5, 15), (10, 40)])
def test_the_interval_covers_the_truth_at_least_as_often_as_it_claims(n_seeds: int, n_subjects: int) -> None:
    random = np.random.default_rng(n_seeds)
    truth, n = true_difference(0.4), 400
    found = [
        interval(estimate(simulate_difference(random, n_seeds, n_subjects, 0.4), 300, random), 0.95) for _ in range(n)
    ]
    coverage = np.mean([low <= truth <= high for low, high in found])
    assert coverage > 0.95 - 2 * np.sqrt(0.95 * 0.05 / n)


def test_the_bootstrap_variance_is_the_textbook_one() -> None:
    random = np.random.default_rng(0)
    calls = (random.random((6, 20)), random.random((6, 30)))
    sure = estimate(calls, 200_000, random)
    per_seed = (calls[0].mean(1) + calls[1].mean(1)) / 2
    expected = sum(c.mean(0).var(ddof=1) / c.shape[1] for c in calls) / 4
    assert sure.value == pytest.approx((calls[0].mean() + calls[1].mean()) / 2)
    assert sure.seed_variance == pytest.approx(per_seed.var(ddof=1) / 6, rel=0.02)
    assert sure.subject_variance == pytest.approx(max(expected, (1 / 400 + 1 / 900) / 4), rel=0.02)


def test_identical_arms_leave_zero_inside_an_interval_that_is_not_a_point() -> None:
    sure = estimate((np.zeros((5, 10)), np.zeros((5, 10))), 100, np.random.default_rng(0))
    # one subject of ten in each class called otherwise: sqrt(2 / 100 / 4) = 0.0707; t(18) = 2.101
    assert interval(sure, 0.95) == pytest.approx((-0.1486, 0.1486), abs=1e-4)


def test_few_seeds_that_disagree_widen_the_interval_by_students_quantile() -> None:
    low, high = interval(Uncertain(0.0, 0.01, 0.0, 2.0), 0.95)
    assert (low, high) == pytest.approx((-0.43027, 0.43027), abs=1e-5)


def test_degrees_of_freedom_are_those_of_the_source_that_dominates() -> None:
    calls = (np.repeat([[0.0], [0.5], [1.0]], 200, axis=1),) * 2
    assert estimate(calls, 20_000, np.random.default_rng(0)).degrees == pytest.approx(2, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), confidence=st.floats(0.6, 0.95))
def test_swapping_the_arms_mirrors_the_interval_and_more_confidence_widens_it(seed: int, confidence: float) -> None:
    calls = simulate_difference(np.random.default_rng(seed), 4, 12, 0.3)
    one = estimate(calls, 200, np.random.default_rng(1))
    other = estimate((-calls[0], -calls[1]), 200, np.random.default_rng(1))
    low, high = interval(one, confidence)
    assert interval(other, confidence) == pytest.approx((-high, -low), abs=1e-9)
    assert interval(one, 0.99)[1] > high > one.value > low


def test_a_p_value_is_what_the_interval_leaves_when_it_just_reaches_zero() -> None:
    sure = Uncertain(0.08, 0.0004, 0.0005, 12.0)
    assert interval(sure, 1 - p_value(sure))[0] == pytest.approx(0, abs=1e-9)
    assert p_value(sure._replace(value=-0.08)) == p_value(sure)
    assert p_value(sure._replace(value=0.0)) == 1


def test_a_contrast_is_the_difference_of_two_estimates_and_their_subjects_variances_add() -> None:
    random = np.random.default_rng(0)
    one, other = simulate_difference(random, 6, 30, 0.4), simulate_difference(random, 6, 20, 0.0)
    alone = [estimate(calls, 20_000, random) for calls in (one, other)]
    contrast = estimate_contrast(one, other, 20_000, random)
    assert contrast.value == pytest.approx(alone[0].value - alone[1].value)
    assert contrast.subject_variance == pytest.approx(sum(part.subject_variance for part in alone), rel=0.05)


def test_a_seeds_luck_that_both_groups_share_cancels_in_their_contrast() -> None:
    luck = np.array([[0.0], [0.5], [1.0]]) * np.ones(12)
    contrast = estimate_contrast((luck, luck), (luck, luck), 500, np.random.default_rng(0))
    assert estimate((luck, luck), 500, np.random.default_rng(0)).seed_variance > 0.01
    assert contrast.seed_variance == 0


@pytest.mark.statistical
def test_the_interval_of_a_contrast_covers_the_truth_at_least_as_often_as_it_claims() -> None:
    random = np.random.default_rng(3)
    found = []
    for _ in range(300):
        calls = simulate_difference(random, 5, 40, 0.4)
        own, others = tuple(part[:, :12] for part in calls), tuple(part[:, 12:] for part in calls)
        found.append(interval(estimate_contrast(own, others, 300, random), 0.95))
    coverage = np.mean([low <= 0 <= high for low, high in found])
    assert coverage > 0.95 - 2 * np.sqrt(0.95 * 0.05 / len(found))
