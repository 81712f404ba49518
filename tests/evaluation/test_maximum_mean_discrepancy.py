"""The estimate is the textbook's double sum, unbiased, and its test keeps its level and finds what is there."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cohortsmith.evaluation import maximum_mean_discrepancy
from cohortsmith.evaluation.maximum_mean_discrepancy import measure_discrepancy, median_distance


def textbook(one: np.ndarray, other: np.ndarray, bandwidth: float) -> float:
    def mean(a: np.ndarray, b: np.ndarray, *, same: bool) -> float:
        kernel = np.exp(-cdist(a, b, "sqeuclidean") / (2 * bandwidth**2))
        return float(kernel[~np.eye(len(a), dtype=bool)].mean() if same else kernel.mean())

    return mean(one, one, same=True) + mean(other, other, same=True) - 2 * mean(one, other, same=False)


def test_two_points_a_set_are_those_worked_out_by_hand() -> None:
    # pooled 0, 0, 1, 1: distances above zero are all 1; within each set the kernel is 1, across exp(-1/2)
    one, other = np.zeros((2, 1)), np.ones((2, 1))
    found = measure_discrepancy(one, other, np.random.default_rng(0), 19)
    assert found.bandwidth == 1
    assert found.squared == pytest.approx(2 - 2 * np.exp(-0.5))


def test_rows_at_a_time_give_the_double_sum_for_sets_of_unequal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maximum_mean_discrepancy, "_ROWS", 7)
    random = np.random.default_rng(0)
    one, other = random.normal(size=(13, 3)), random.normal(0.4, 1, (30, 3))
    found = measure_discrepancy(one, other, random, 99)
    assert found.squared == pytest.approx(textbook(one, other, found.bandwidth))


def test_the_bandwidth_is_the_median_distance_of_differing_points_and_one_where_all_points_are_equal() -> None:
    random = np.random.default_rng(0)
    assert median_distance(np.array([[0.0], [1.0], [3.0]]), random) == 2
    assert median_distance(np.zeros((5, 2)), random) == 1
    assert median_distance(np.array([[0.0]] * 5 + [[7.0]]), random) == 7


@pytest.mark.statistical
def test_under_one_law_it_is_zero_on_average_and_the_test_keeps_its_level() -> None:
    random = np.random.default_rng(1)
    found = [
        measure_discrepancy(random.normal(size=(20, 3)), random.normal(size=(30, 3)), random, 99) for _ in range(300)
    ]
    values = [one.squared for one in found]
    assert np.mean(values) == pytest.approx(0, abs=3 * np.std(values) / np.sqrt(300))
    assert np.mean([one.p_value <= 0.05 for one in found]) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 300))


def test_a_shift_and_a_change_of_spread_are_found() -> None:
    random = np.random.default_rng(2)
    real = random.normal(size=(60, 3))
    for other in (random.normal(0.8, 1, (80, 3)), random.normal(0, 0.4, (80, 3))):
        assert measure_discrepancy(real, other, random, 199).p_value == pytest.approx(1 / 200)
