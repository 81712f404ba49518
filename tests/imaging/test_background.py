import numpy as np
import pytest

from cohortsmith.imaging.background import measure_background
from cohortsmith.imaging.volume import Volume


def head_in_air(air: float = 0.0, ghost: float = 0.0, shape: tuple[int, int, int] = (60, 50, 40)) -> Volume:
    """A block of 100 in the middle; `ghost` is what lies before and behind it along y."""
    data = np.full(shape, air, np.float32)
    data[20:40, :, 12:28] += ghost
    data[20:40, 18:32, 12:28] = 100
    return Volume(data, np.diag([4.0, 4, 4, 1]))


def test_clean_air_is_silent() -> None:
    assert measure_background(head_in_air()) == {"air_signal": 0, "ghosting": 0}


def test_noise_in_the_air_is_told_as_a_share_of_the_head() -> None:
    assert measure_background(head_in_air(air=3))["air_signal"] == pytest.approx(0.03)


def test_a_ghost_along_one_axis_is_not_mere_noise() -> None:
    found = measure_background(head_in_air(air=3, ghost=8))
    assert found["ghosting"] == pytest.approx(0.08, rel=0.01)
    assert measure_background(head_in_air(air=3))["ghosting"] == pytest.approx(0)


def test_a_head_that_fills_the_view_leaves_the_numbers_out() -> None:
    tight = head_in_air()
    cut = Volume(tight.data[20:40, 18:32, 12:28] + np.arange(20, dtype=np.float32)[:, None, None], tight.affine)
    assert measure_background(cut) == {}
