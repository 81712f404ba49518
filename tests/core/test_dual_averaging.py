import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.core import dual_averaging
from cohortsmith.core.dual_averaging import adapted, current, update


def test_the_first_update_by_hand():
    search = update(dual_averaging.start(0.2, target=0.8), 0.5)
    error = (0.8 - 0.5) / 11
    assert search.error == pytest.approx(error)
    assert current(search) == pytest.approx(2.0 * math.exp(-error / 0.05))
    assert adapted(search) == pytest.approx(current(search))  # the first weight is one


def test_before_any_update_the_first_step_size_stands():
    assert current(dual_averaging.start(0.2)) == pytest.approx(0.2)
    assert adapted(dual_averaging.start(0.2)) == pytest.approx(0.2)


@given(st.floats(0.05, 0.95), st.floats(1e-3, 10))
def test_it_finds_the_step_at_which_a_falling_curve_meets_the_target(target, first):
    search = dual_averaging.start(first, target)
    for _ in range(2000):
        search = update(search, math.exp(-current(search)))
    assert math.exp(-adapted(search)) == pytest.approx(target, abs=0.02)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_acceptance_means_a_longer_next_step(first, second):
    low, high = sorted((first, second))
    search = dual_averaging.start(0.1)
    assert current(update(search, low)) <= current(update(search, high))


def test_an_acceptance_that_is_not_a_number_counts_as_none():
    search = dual_averaging.start(0.1)
    assert update(search, math.nan) == update(search, 0.0)
