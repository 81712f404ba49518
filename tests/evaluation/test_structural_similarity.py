"""The similarity is MONAI's, in two and three dimensions, and follows the laws of its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cohortsmith.evaluation.structural_similarity import WEIGHTS, count_scales, multi_scale_similarity


def draw_pair(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    one = ndimage.gaussian_filter(random.random(shape), 2)
    one = (one - one.min()) / np.ptp(one)
    return one, np.clip(one + 0.5 * ndimage.gaussian_filter(random.normal(size=shape), 1), 0, 1)


@pytest.mark.parametrize("shape", [(180, 176), (48, 52, 45), (25, 30)])
def test_it_agrees_with_monai(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    from monai.metrics.regression import compute_ms_ssim  # noqa: PLC0415

    one, other = draw_pair(0, shape)
    weights = np.array(WEIGHTS[: count_scales(shape)]) / sum(WEIGHTS[: count_scales(shape)])
    theirs = compute_ms_ssim(*(torch.tensor(image)[None, None] for image in (one, other)), len(shape), weights=weights)
    assert 0.2 < float(theirs) < 0.99
    assert multi_scale_similarity(one, other) == pytest.approx(float(theirs), abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_it_is_symmetric_and_one_for_equal_images_only(seed: int) -> None:
    one, other = draw_pair(seed, (24, 26))
    assert multi_scale_similarity(one, other) == pytest.approx(multi_scale_similarity(other, one))
    assert multi_scale_similarity(one, one) == pytest.approx(1)
    assert 0 <= multi_scale_similarity(one, other) < 1


def test_two_constant_images_differ_in_luminance_alone() -> None:
    # one scale of 15 x 15: (2 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4)
    one, other = np.full((15, 15), 0.2), np.full((15, 15), 0.6)
    assert multi_scale_similarity(one, other) == pytest.approx(0.2401 / 0.4001)


def test_a_negative_is_as_unlike_as_can_be() -> None:
    image = (np.indices((30, 30)).sum(axis=0) % 2).astype(float)
    assert multi_scale_similarity(image, 1 - image) == 0


@pytest.mark.parametrize(
    ("shape", "scales"), [((176, 208), 5), ((175, 208), 4), ((42, 52, 45), 2), ((84, 104, 89), 3), ((10, 90), 0)]
)
def test_as_many_scales_are_used_as_the_window_fits(shape: tuple[int, ...], scales: int) -> None:
    assert count_scales(shape) == scales


def test_single_precision_is_enough() -> None:
    one, other = draw_pair(1, (48, 52, 45))
    single = multi_scale_similarity(one.astype(np.float32), other.astype(np.float32))
    assert single == pytest.approx(multi_scale_similarity(one, other), abs=1e-4)
