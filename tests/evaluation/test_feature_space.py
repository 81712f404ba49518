"""Features are block means in the training images' principal components, and synthetic images cannot bend them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.evaluation import feature_space
from cohortsmith.evaluation.feature_space import average_blocks, choose_block, fit_feature_space, project

SHAPE = (6, 5, 4)


def draw_images(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, *SHAPE), dtype=np.float32)


def test_blocks_are_averaged_and_the_last_ones_are_thin() -> None:
    image = np.arange(15, dtype=np.float32).reshape(1, 3, 5)
    # rows 0-1 and 2; columns 0-1, 2-3 and 4
    expected = [[[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]]
    np.testing.assert_allclose(average_blocks(image, 2), expected)
    np.testing.assert_array_equal(average_blocks(image, 1), image)


@given(st.integers(1, 7), st.floats(0, 1))
def test_averaging_leaves_a_constant_image_as_it_is(block: int, value: float) -> None:
    np.testing.assert_allclose(average_blocks(np.full((2, *SHAPE), value, np.float32), block), value, atol=1e-6)


def test_the_block_is_the_smallest_that_leaves_few_enough_means() -> None:
    assert choose_block((208, 96)) == 1
    assert choose_block((42, 52, 45)) == 2
    assert choose_block((84, 104, 89)) == 4


def test_with_all_components_distances_between_training_images_are_kept() -> None:
    images = draw_images(10, 0)
    features = project(fit_feature_space(images), images)
    assert features.shape == (10, 9)
    kept = np.linalg.norm(features[:, None] - features, axis=-1)
    direct = np.linalg.norm((images[:, None] - images).reshape(10, 10, -1), axis=-1)
    np.testing.assert_allclose(kept, direct, atol=1e-4)


def test_the_space_explains_all_with_all_components_and_less_with_few() -> None:
    images = draw_images(10, 0)
    assert fit_feature_space(images).explained == pytest.approx(1, abs=1e-4)
    assert fit_feature_space(images, 2).explained < 0.5


def test_features_do_not_depend_on_what_else_is_projected(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(feature_space, "LARGEST", 30)
    np.save(tmp_path / "training.npy", draw_images(20, 0))
    space = fit_feature_space(np.load(tmp_path / "training.npy", mmap_mode="r"), 5)
    others = draw_images(70, 1)
    assert space.block == 2
    np.testing.assert_allclose(project(space, others)[66:], project(space, others[66:]), atol=1e-5)


def test_the_same_seed_gives_the_same_space() -> None:
    images = draw_images(30, 0)
    one, other = (project(fit_feature_space(images, 3, seed=4), images) for _ in range(2))
    np.testing.assert_array_equal(one, other)
