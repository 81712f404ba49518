"""Classic augmentation moves and varies images a little, from the generator alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cohortsmith.config.judge import ClassicAugmentationConfig
from cohortsmith.models.augmentation import augment, draw_placements, move, rotations, vary_intensity

NOTHING = ClassicAugmentationConfig(
    rotation_degrees=0,
    shift_fraction=0,
    scale_fraction=0,
    contrast_fraction=0,
    brightness=0,
    noise_sd=0,
    left_right_axis=None,
)
SHAPES = [(9, 8), (7, 8, 9)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(shape: tuple[int, ...], n: int = 3) -> torch.Tensor:
    return torch.rand(n, 1, *shape, generator=seeded(9))


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_to_vary_leaves_the_image_as_it_is(shape) -> None:
    images = random_images(shape)
    torch.testing.assert_close(augment(images, NOTHING, seeded()), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_same_seed_same_images_another_seed_others_and_the_input_is_untouched(shape) -> None:
    images = random_images(shape)
    kept = images.clone()
    one, same, other = (augment(images, ClassicAugmentationConfig(), seeded(k)) for k in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(images, kept)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shape=st.sampled_from(SHAPES))
def test_images_keep_shape_range_and_an_empty_background(seed, shape) -> None:
    images = random_images(shape)
    images[:, :, :4] = 0
    varied = vary_intensity(images, ClassicAugmentationConfig(noise_sd=0.3, brightness=0.5), seeded(seed))
    assert varied.shape == images.shape
    assert 0 <= varied.min() <= varied.max() <= 1
    assert (varied[:, :, :4] == 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_mirrors_the_asked_axis_of_about_half_the_images(axis: int) -> None:
    images = random_images((7, 8, 9), n=40)
    flipped = augment(images, NOTHING.model_copy(update={"left_right_axis": axis}), seeded())
    same = (flipped - images).abs().amax((1, 2, 3, 4)) < 1e-5
    mirrored = (flipped - images.flip(axis + 2)).abs().amax((1, 2, 3, 4)) < 1e-5
    assert (same ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_a_shift_of_two_pixels_moves_the_asked_axis_by_two_pixels() -> None:
    images = random_images((7, 8, 9), n=1)
    placement = torch.cat([torch.eye(3), torch.tensor([[0.0], [2.0], [0.0]])], dim=1).unsqueeze(0)
    moved = move(images, placement)
    torch.testing.assert_close(moved[:, :, :, :6], images[:, :, :, 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[:, :, :, 6:], torch.zeros(1, 1, 7, 2, 9))


def test_a_quarter_turn_on_an_oblong_grid_keeps_distances_in_pixels() -> None:
    images = torch.zeros(1, 1, 11, 7)
    images[0, 0, 5, 5] = 1  # two pixels from the centre (5, 3) along the short axis
    turned = move(images, torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]))
    assert turned[0, 0, 7, 3] == pytest.approx(1, abs=1e-5)
    assert turned.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("dimension", "n_planes"), [(2, 1), (3, 3)])
def test_rotations_are_orthogonal_and_do_not_mirror(dimension: int, n_planes: int) -> None:
    turns = rotations(torch.rand(20, n_planes, generator=seeded()) * 3 - 1.5, dimension)
    torch.testing.assert_close(turns @ turns.mT, torch.eye(dimension).expand_as(turns), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(20))


def test_a_rotation_in_the_plane_is_by_the_given_angle() -> None:
    turn = rotations(torch.tensor([[torch.pi / 6]]), 2)[0]
    torch.testing.assert_close(turn, torch.tensor([[3**0.5 / 2, 0.5], [-0.5, 3**0.5 / 2]]), atol=1e-4, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_placements_stay_within_the_asked_bounds(seed: int) -> None:
    config = ClassicAugmentationConfig(rotation_degrees=10, shift_fraction=0.05, scale_fraction=0.1, left_right_axis=0)
    placements = draw_placements(random_images((20, 40), n=50), config, seeded(seed))
    linear, shift = placements[..., :-1], placements[..., -1]
    assert (shift.abs() <= torch.tensor([1.0, 2.0])).all()
    assert ((torch.linalg.det(linear).abs().sqrt() - 1).abs() <= 0.1 + 1e-5).all()
    angle = torch.atan2(linear[:, 1, 0], linear[:, 1, 1])
    assert (angle.abs() <= torch.deg2rad(torch.tensor(10.0)) + 1e-5).all()


def test_contrast_and_brightness_act_as_stated() -> None:
    images = torch.full((200, 1, 2, 2), 0.5)
    only = NOTHING.model_copy(update={"contrast_fraction": 0.1, "brightness": 0.05})
    varied = vary_intensity(images, only, seeded())
    assert (varied - varied[:, :, :1, :1]).abs().max() < 1e-6
    assert 0.4 <= varied.min() < 0.43
    assert 0.57 < varied.max() <= 0.6


def test_noise_has_the_asked_standard_deviation() -> None:
    images = torch.full((4, 1, 50, 50), 0.5)
    noise = vary_intensity(images, NOTHING.model_copy(update={"noise_sd": 0.02}), seeded()) - images
    assert noise.std().item() == pytest.approx(0.02, rel=0.03)
