import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cohortsmith.imaging.intensity import foreground, min_max, winsorise

images = arrays(np.float32, (4, 5, 6), elements=st.floats(-1000, 1000, width=32))


@given(images)
def test_scaled_intensities_lie_between_zero_and_one(data: np.ndarray) -> None:
    scaled = min_max(data)
    assert scaled.dtype == np.float32
    assert 0 <= scaled.min() and scaled.max() <= 1


def test_the_darkest_becomes_zero_and_the_brightest_one() -> None:
    np.testing.assert_array_equal(min_max(np.array([[2.0, 4.0, 3.0]], np.float32)), [[0, 1, 0.5]])


def test_a_constant_image_becomes_zeros_not_nan() -> None:
    np.testing.assert_array_equal(min_max(np.full((2, 2), 5, np.float32)), np.zeros((2, 2)))


def test_one_bright_vessel_is_clipped(rng: np.random.Generator) -> None:
    data = rng.random((10, 10, 10), dtype=np.float32)
    data[0, 0, 0] = 1000
    assert winsorise(data).max() < 1.1


def test_tissue_is_told_from_air(rng: np.random.Generator) -> None:
    data = np.abs(rng.normal(0, 2, (20, 20, 20))).astype(np.float32)
    data[5:15, 5:15, 5:15] += 100
    expected = np.zeros(data.shape, bool)
    expected[5:15, 5:15, 5:15] = True
    np.testing.assert_array_equal(foreground(data), expected)
