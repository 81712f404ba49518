"""Overlap worked out by hand on a line, and laws that hold for any distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import set_config

from cohortsmith.evaluation.precision_recall import expect_coverage, measure_overlap


def line(*points: float) -> np.ndarray:
    return np.array(points, dtype=float)[:, None]


def test_overlap_on_a_line_is_that_worked_out_by_hand() -> None:
    # k = 1; real balls: 0 +- 1, 1 +- 1, 4 +- 3; synthetic balls: 1.5 +- 2.5, 4 +- 2.5, 9 +- 5
    found = measure_overlap(line(0, 1, 4), line(1.5, 4, 9), 1)
    assert found.precision == pytest.approx(2 / 3)
    # 0 is in the ball of 1.5, 1 too, 4 in several
    assert found.recall == 1
    # 1.5 lies in the balls of 1 and 4, 4 in that of 4, 9 in none
    assert found.density == pytest.approx(1)
    # nearest synthetic: 1.5 from 0 (radius 1), 0.5 from 1 (1), 0 from 4 (3)
    assert found.coverage == pytest.approx(2 / 3)
    # of the 2 other real and 3 synthetic points the nearest is synthetic 3 times in 5
    assert found.expected_coverage == pytest.approx(3 / 5)


def test_the_border_belongs_to_the_ball() -> None:
    # real balls: 0 +- 1, 1 +- 1; synthetic ones: 2 +- 8, 10 +- 8
    found = measure_overlap(line(0, 1), line(2, 10), 1)
    assert (found.precision, found.density, found.coverage) == (1 / 2, 1 / 2, 1 / 2)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_units_do_not_matter_and_a_set_overlaps_itself(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    real, synthetic = random.normal(size=(12, 3)), random.normal(0.5, 1, (15, 3))
    assert measure_overlap(real * scale, synthetic * scale, 3) == pytest.approx(measure_overlap(real, synthetic, 3))
    same = measure_overlap(real, real, 3)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    # each point is in its own ball; whether it is in those that end at it hangs on rounding
    assert 1 / 3 < same.density <= 4 / 3 + 1e-9


@pytest.mark.statistical
@pytest.mark.parametrize("law", ["normal", "exponential", "uniform"])
def test_draws_of_one_law_are_covered_as_often_as_expected_whatever_the_law(law: str) -> None:
    random = np.random.default_rng(0)
    draw = getattr(random, law)
    found = [measure_overlap(draw(size=(60, 4)), draw(size=(40, 4)), 2) for _ in range(100)]
    coverages = [one.coverage for one in found]
    error = np.std(coverages) / 10
    assert np.mean(coverages) == pytest.approx(expect_coverage(60, 40, 2), abs=3 * error)
    densities = [one.density for one in found]
    assert np.mean(densities) == pytest.approx(1, abs=4 * np.std(densities) / 10)


def test_expected_coverage_is_naeems_when_the_sets_are_equal() -> None:
    # 1 - (M-1)(M-2) / ((2M-1)(2M-2)) with M = 10, k = 2
    assert expect_coverage(10, 10, 2) == pytest.approx(1 - 9 * 8 / (19 * 18))


def test_small_working_memory_changes_nothing() -> None:
    random = np.random.default_rng(0)
    real, synthetic = random.normal(size=(300, 5)), random.normal(0.3, 1, (400, 5))
    whole = measure_overlap(real, synthetic)
    try:
        set_config(working_memory=1)
        assert measure_overlap(real, synthetic) == pytest.approx(whole)
    finally:
        set_config(working_memory=1024)


def test_the_words_give_what_would_be_expected() -> None:
    assert "if both were drawn alike" in measure_overlap(line(0, 1, 4), line(1.5, 4, 9), 1).sentence()
