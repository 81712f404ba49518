import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.core.tempering import square_root_schedule


@given(n_leapfrog=st.integers(1, 20), sqrt_beta_zero=st.floats(0.05, 1.0))
def test_the_schedule_rises_from_the_start_to_one(n_leapfrog, sqrt_beta_zero):
    schedule = square_root_schedule(n_leapfrog, sqrt_beta_zero)
    assert len(schedule) == n_leapfrog + 1
    assert (schedule[0], schedule[-1]) == pytest.approx((sqrt_beta_zero, 1.0))
    assert list(schedule) == sorted(schedule)


def test_the_published_setting_by_hand():
    # 1 / ((1 - 1/0.3) k^2/9 + 1/0.3)
    expected = (0.3, 1 / (10 / 3 - 7 / 27), 1 / (10 / 3 - 28 / 27), 1.0)
    assert square_root_schedule(3, 0.3) == pytest.approx(expected)
