"""Corrections worked out by hand, and the family-wise error that they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.evaluation.multiplicity import bonferroni, holm


def test_both_are_those_worked_out_by_hand() -> None:
    p = [0.03, 0.01, 0.04, 0.005]
    assert bonferroni(p) == pytest.approx([0.12, 0.04, 0.16, 0.02])
    # in order: 4 * 0.005, 3 * 0.01, 2 * 0.03, then 1 * 0.04, which may not end below 0.06
    assert holm(p) == pytest.approx([0.06, 0.03, 0.06, 0.02])


def test_what_was_not_asked_is_not_counted() -> None:
    assert holm([0.02, np.nan, 0.5]) == pytest.approx([0.04, np.nan, 0.5], nan_ok=True)
    assert bonferroni([0.02, np.nan, 0.6]) == pytest.approx([0.04, np.nan, 1.0], nan_ok=True)
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    p, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= p).all()
    assert (adjusted <= bonferroni(p) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@pytest.mark.statistical
def test_five_true_nulls_are_seldom_all_but_one_kept() -> None:
    p = np.random.default_rng(0).random((4000, 5))
    wrong = np.mean([(holm(row) < 0.05).any() for row in p])
    assert wrong == pytest.approx(1 - 0.99**5, abs=3 * np.sqrt(0.05 * 0.95 / 4000))
