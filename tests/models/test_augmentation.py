"""Classic augmentation changes some images a little, within its bounds and from the generator alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import get_track_meta

from cohortsmith.config.judge import ClassicAugmentationConfig
from cohortsmith.models.augmentation import augment

SHAPES = [(9, 8), (7, 8, 9)]
NOTHING = {
    "rotation_degrees": 0,
    "shift_fraction": 0,
    "scale_fraction": 0,
    "contrast_fraction": 0,
    "brightness": 0,
    "noise_sd": 0,
    "left_right_axis": None,
}
KINDS = [
    {"rotation_degrees": 8},
    {"shift_fraction": 0.05},
    {"scale_fraction": 0.05},
    {"contrast_fraction": 0.1},
    {"brightness": 0.05},
    {"noise_sd": 0.02},
]


def only(probability: float = 1.0, **changes) -> ClassicAugmentationConfig:
    """Make these changes and no others."""
    return ClassicAugmentationConfig(probability=probability, **{**NOTHING, **changes})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(shape: tuple[int, ...], n: int = 3) -> torch.Tensor:
    return torch.rand(n, 1, *shape, generator=seeded(9))


def blob(shape: tuple[int, ...], centre: tuple[float, ...], width: float, n: int) -> torch.Tensor:
    """A Gaussian blob, n times; centre and width in pixels, about the middle of the image."""
    axes = torch.meshgrid(*[torch.arange(side) - (side - 1) / 2 for side in shape], indexing="ij")
    distance = sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True))
    return torch.exp(-distance / (2 * width**2)).expand(n, 1, *shape)


def moments(images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Centres of mass about the image's middle, and standard deviations, (B, D) in pixels."""
    weights = images[:, 0].double().numpy()
    centres, deviations = [], []
    for axis, side in enumerate(weights.shape[1:]):
        others = tuple(k + 1 for k in range(weights.ndim - 1) if k != axis)
        profile = weights.sum(axis=others) / weights.sum(axis=(*others, axis + 1))[:, None]
        position = np.arange(side) - (side - 1) / 2
        centres.append(profile @ position)
        deviations.append(np.sqrt(profile @ position**2 - centres[-1] ** 2))
    return np.stack(centres, axis=1), np.stack(deviations, axis=1)


def changed(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return (before != after).flatten(1).any(dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_probability_zero_changes_nothing(shape) -> None:
    images = random_images(shape, n=20)
    assert torch.equal(augment(images, ClassicAugmentationConfig(probability=0), seeded()), images)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_probability_one_makes_each_kind_of_change_to_every_image(shape, kind) -> None:
    images = 0.1 + 0.8 * random_images(shape, n=20)
    assert changed(images, augment(images, only(**kind), seeded())).all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_probability_leaves_about_half_the_images_as_they_were(kind) -> None:
    images = 0.1 + 0.8 * random_images((9, 8), n=200)
    # 100 expected, standard deviation sqrt(200 / 4) = 7.07
    assert 72 <= changed(images, augment(images, only(probability=0.5, **kind), seeded())).sum() <= 128


def test_each_kind_of_change_is_drawn_on_its_own() -> None:
    images = torch.full((400, 1, 4, 4), 0.5)
    varied = augment(images, only(probability=0.5, contrast_fraction=0.1, noise_sd=0.02), seeded())
    rough = varied.std(dim=(1, 2, 3)) > 1e-6
    unchanged = ~changed(images, varied)
    # a quarter each: 100 of 400, standard deviation sqrt(400 * 3 / 16) = 8.7
    assert 65 <= unchanged.sum() <= 135
    assert 65 <= (~rough & ~unchanged).sum() <= 135


@pytest.mark.parametrize("shape", SHAPES)
def test_same_seed_same_images_another_seed_others_and_the_input_is_untouched(shape) -> None:
    images = random_images(shape)
    kept = images.clone()
    one, same, other = (augment(images, ClassicAugmentationConfig(), seeded(k)) for k in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(images, kept)


def test_two_batches_from_one_generator_differ() -> None:
    images, generator = random_images((7, 8, 9)), seeded()
    assert not torch.equal(*(augment(images, only(noise_sd=0.02), generator) for _ in range(2)))


def test_nothing_global_is_drawn_from_or_left_behind() -> None:
    augment(random_images((9, 8)), ClassicAugmentationConfig(), seeded())
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  what must not be touched
    augment(random_images((9, 8)), ClassicAugmentationConfig(), seeded())
    found = torch.rand(1).item(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert found == (torch.rand(1).item(), np.random.rand())  # noqa: NPY002
    assert get_track_meta()
    assert type(augment(random_images((9, 8)), ClassicAugmentationConfig(), seeded())) is torch.Tensor


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shape=st.sampled_from(SHAPES))
def test_images_keep_shape_range_and_an_empty_background(seed, shape) -> None:
    images = random_images(shape)
    images[:, :, :4] = 0
    config = only(noise_sd=0.3, brightness=0.5, contrast_fraction=0.5)
    varied = augment(images, config, seeded(seed))
    assert varied.shape == images.shape
    assert varied.dtype == torch.float32
    assert 0 <= varied.min() <= varied.max() <= 1
    assert (varied[:, :, :4] == 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_mirrors_the_asked_axis_of_about_half_the_images(axis: int) -> None:
    images = random_images((7, 8, 9), n=40)
    flipped = augment(images, only(probability=0.5, left_right_axis=axis), seeded())
    same = (flipped - images).abs().amax((1, 2, 3, 4)) < 1e-6
    mirrored = (flipped - images.flip(axis + 2)).abs().amax((1, 2, 3, 4)) < 1e-6
    assert (same ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


@pytest.mark.parametrize("shape", [(20, 40), (20, 40, 30)])
def test_shifts_reach_the_asked_fraction_of_each_side_and_no_further(shape) -> None:
    images = blob(shape, (0.0,) * len(shape), 1.5, n=60)
    centres, _ = moments(augment(images, only(shift_fraction=0.1), seeded()))
    bounds = 0.1 * np.array(shape)
    assert (abs(centres) <= bounds + 0.01).all()
    assert (abs(centres).max(axis=0) > 0.85 * bounds).all()
    assert (centres.min(axis=0) < -0.5 * bounds).all()
    assert (centres.max(axis=0) > 0.5 * bounds).all()


@pytest.mark.parametrize("shape", [(41, 37), (41, 37, 39)])
def test_scalings_reach_the_asked_fraction_and_no_further(shape) -> None:
    middle = (0.0,) * len(shape)
    images = blob(shape, middle, 4.0, n=60)
    centres, deviations = moments(augment(images, only(scale_fraction=0.2), seeded()))
    _, before = moments(images[:1])
    # an image grows by 1 / s where output positions times s are input positions, s in [0.8, 1.2]
    scales = before / deviations
    assert (abs(centres) < 0.01).all()
    assert (abs(scales - 1) < 0.21).all()
    assert (abs(scales - 1).max(axis=0) > 0.16).all()


def test_rotations_keep_the_distance_in_pixels_and_reach_the_asked_angle_and_no_further() -> None:
    images = blob((31, 41), (0.0, 10.0), 1.5, n=80)
    centres, _ = moments(augment(images, only(rotation_degrees=10), seeded()))
    angles = np.degrees(np.arctan2(centres[:, 0], centres[:, 1]))
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 10, atol=0.02)
    assert (abs(angles) <= 10.05).all()
    assert angles.min() < -8
    assert angles.max() > 8


def test_a_volume_is_turned_about_each_of_its_axes() -> None:
    for axis in range(3):
        centre = tuple(8.0 if k == axis else 0.0 for k in range(3))
        centres, _ = moments(augment(blob((25, 27, 29), centre, 1.5, n=30), only(rotation_degrees=10), seeded()))
        np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 8, atol=0.02)
        # sin 10° = 0.174: 1.39 pixels, and a little more by the two turns together
        assert all(1.0 < abs(centres[:, other]).max() < 1.7 for other in range(3) if other != axis)


def test_what_comes_from_outside_is_empty() -> None:
    varied = augment(torch.ones(20, 1, 20, 20), only(shift_fraction=0.4), seeded())
    darkest = varied.amin(dim=(1, 2, 3))
    assert (darkest < 1).all()
    assert (darkest == 0).sum() > 15  # all but those that move by less than a pixel


def test_contrast_and_brightness_act_as_stated() -> None:
    images = torch.full((200, 1, 2, 2), 0.5)
    varied = augment(images, only(contrast_fraction=0.1, brightness=0.05), seeded())
    assert (varied - varied[:, :, :1, :1]).abs().max() < 1e-6
    assert 0.4 <= varied.min() < 0.43
    assert 0.57 < varied.max() <= 0.6


def test_contrast_multiplies_and_brightness_adds() -> None:
    images = torch.tensor([0.2, 0.4]).expand(50, 1, 2, 2)
    stretched = augment(images, only(contrast_fraction=0.1), seeded())
    shifted = augment(images, only(brightness=0.05), seeded())
    torch.testing.assert_close(stretched[..., 1] / stretched[..., 0], torch.full((50, 1, 2), 2.0))
    torch.testing.assert_close(shifted[..., 1] - shifted[..., 0], torch.full((50, 1, 2), 0.2))


def test_noise_has_the_asked_standard_deviation_in_every_image() -> None:
    images = torch.full((4, 1, 50, 50), 0.5)
    noise = augment(images, only(noise_sd=0.02), seeded()) - images
    assert noise.std(dim=(1, 2, 3)).numpy() == pytest.approx(0.02, rel=0.08)  # 2500 values: 1.4 % each
    assert not torch.equal(noise[0], noise[1])
