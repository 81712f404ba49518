"""Reliability worked out by hand, with empty bins, ties and probabilities that are right on average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.evaluation.reliability import expected_calibration_error, reliability_curve

LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.array([0.0, 0.3, 0.2, 0.5, 1.0])


def test_the_curve_is_the_one_worked_out_by_hand() -> None:
    curve = reliability_curve(LABELS, PROBABILITIES, 4)
    assert curve["n"].tolist() == [2, 1, 1, 1]
    assert curve["probability"].tolist() == pytest.approx([0.1, 0.3, 0.5, 1.0])
    assert curve["patients"].tolist() == pytest.approx([0.5, 0.0, 1.0, 1.0])
    # (2 * 0.4 + 0.3 + 0.5 + 0) / 5
    assert expected_calibration_error(curve) == pytest.approx(0.32)


def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last_bin() -> None:
    curve = reliability_curve(np.array([1, 1, 1]), np.array([0.5, 0.49, 1.0]), 2)
    assert curve["n"].tolist() == [1, 2]


def test_an_empty_bin_has_no_values_and_counts_for_nothing() -> None:
    curve = reliability_curve(np.array([0, 1]), np.array([0.05, 0.95]), 10)
    assert curve["n"].tolist() == [1, *[0] * 8, 1]
    assert curve.loc[1:8, ["probability", "patients"]].isna().all(axis=None)
    assert expected_calibration_error(curve) == pytest.approx(0.05)


def test_bins_of_equal_mass_hold_equally_many_predictions() -> None:
    random = np.random.default_rng(0)
    curve = reliability_curve(random.integers(0, 2, 100), random.random(100) ** 4, 10, equal_mass=True)
    assert curve["n"].tolist() == [10] * 10


def test_predictions_that_are_alike_are_never_torn_apart() -> None:
    curve = reliability_curve(np.array([0, 1, 1, 0]), np.array([0.5, 0.5, 0.5, 0.9]), 4, equal_mass=True)
    assert curve["n"].sum() == 4
    assert 3 in curve["n"].tolist()
    constant = reliability_curve(np.array([0, 1, 1, 1]), np.full(4, 0.7), 4, equal_mass=True)
    assert constant["n"].tolist() == [4]
    assert expected_calibration_error(constant) == pytest.approx(0.05)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.booleans())
def test_every_prediction_is_counted_once_and_the_error_is_a_share(pairs, equal_mass: bool) -> None:
    labels, probabilities = (np.array(values) for values in zip(*pairs, strict=True))
    curve = reliability_curve(labels, probabilities, 5, equal_mass=equal_mass)
    assert curve["n"].sum() == len(pairs)
    assert 0 <= expected_calibration_error(curve) <= 1
    assert curve["probability"].dropna().between(curve["low"].min() - 1e-9, curve["high"].max() + 1e-9).all()


def test_right_probabilities_are_called_calibrated_and_exaggerated_ones_are_not() -> None:
    random = np.random.default_rng(1)
    truth = random.uniform(0.2, 0.8, 20_000)
    labels = (random.random(20_000) < truth).astype(int)
    exaggerated = np.where(truth > 0.5, 0.95, 0.05)
    errors = [expected_calibration_error(reliability_curve(labels, p)) for p in (truth, exaggerated)]
    # sqrt(10 / 20000) / 3 = 0.007; 0.65 of those given 0.95 are patients
    assert errors[0] < 0.015
    assert errors[1] == pytest.approx(0.3, abs=0.02)
