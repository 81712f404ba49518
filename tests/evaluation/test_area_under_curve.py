"""The area is scikit-learn's, its variance DeLong's; scans of one subject count as one subject."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from cohortsmith.evaluation.area_under_curve import Scored, clustered_area


def scored(scores, subjects=None) -> Scored:
    names = range(len(scores)) if subjects is None else subjects
    return Scored(np.asarray(scores, dtype=float), np.array([f"sub-{name}" for name in names]))


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
)
def test_the_area_is_that_of_scikit_learn_and_mirrors_when_the_groups_are_swapped(one, other) -> None:
    area = clustered_area(scored(one), scored(other), 0.95)
    labels = [1] * len(one) + [0] * len(other)
    assert area.value == pytest.approx(roc_auc_score(labels, one + other))
    assert clustered_area(scored(other), scored(one), 0.95) == pytest.approx(
        (1 - area.value, 1 - area.high, 1 - area.low)
    )
    assert 0 <= area.low <= area.value <= area.high <= 1


def test_the_variance_is_delongs_by_hand() -> None:
    # three positives are above no negative and three above all: s^2 = 0.3; each negative is below half the positives,
    # which leaves one subject at the median, 1 / (4 * 36)
    area = clustered_area(scored([-9, -8, -7, 7, 8, 9]), scored([-3, -2, -1, 1, 2, 3]), 0.8)
    variances = [0.3 / 6, 1 / 144]
    degrees = sum(variances) ** 2 / (variances[0] ** 2 / 5 + variances[1] ** 2 / 5)
    assert area.value == 0.5
    assert area.high == pytest.approx(0.5 + stats.t.ppf(0.9, degrees) * np.sqrt(sum(variances)))


def test_scans_of_one_subject_do_not_narrow_the_interval() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(0.3, 1, 30), random.normal(0, 1, 20)
    once = clustered_area(scored(one), scored(other), 0.95)
    thrice = clustered_area(scored(np.repeat(one, 3), np.repeat(range(30), 3)), scored(other), 0.95)
    assert thrice == pytest.approx(once)


def test_perfect_separation_of_a_handful_is_not_taken_for_certainty() -> None:
    few = clustered_area(scored([3, 4, 5]), scored([0, 1, 2]), 0.95)
    many = clustered_area(scored(range(100, 200)), scored(range(100)), 0.95)
    assert few.value == many.value == few.high == 1
    assert few.low < 0.7
    assert many.low > 0.98


@pytest.mark.statistical
@pytest.mark.parametrize(("n", "m", "shift"), [(40, 12, 0.0), (40, 12, 1.0), (100, 50, 0.5)])
def test_the_interval_covers_the_truth_about_as_often_as_it_claims(n: int, m: int, shift: float) -> None:
    random = np.random.default_rng(n)
    truth, n_studies = stats.norm.cdf(shift / np.sqrt(2)), 600
    areas = [
        clustered_area(scored(random.normal(shift, 1, n)), scored(random.normal(0, 1, m)), 0.95)
        for _ in range(n_studies)
    ]
    coverage = np.mean([area.low <= truth <= area.high for area in areas])
    assert coverage == pytest.approx(0.95, abs=0.03)
