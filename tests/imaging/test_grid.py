import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.imaging.grid import (
    Grid,
    block_mean,
    coarsen,
    downsample,
    fit_centre,
    fit_extent,
    grid_of,
    lies_within,
    resample,
)
from cohortsmith.imaging.volume import Volume

sides = st.tuples(*[st.integers(6, 13)] * 3)


def ramp(shape: tuple[int, ...], affine: np.ndarray) -> Volume:
    """A linear function of world coordinates: interpolation and averaging keep it exactly."""
    index = np.indices(shape).reshape(3, -1)
    world = affine[:3, :3] @ index + affine[:3, 3:]
    return Volume((np.array([0.3, -0.2, 0.5]) @ world).reshape(shape).astype(np.float32), affine)


@given(shape=sides, factor=st.integers(1, 5), seed=st.integers(0, 1000))
def test_downsampling_equals_torch_trilinear(shape: tuple[int, ...], factor: int, seed: int) -> None:
    data = np.random.default_rng(seed).random(shape, dtype=np.float32)
    ours = downsample(Volume(data, np.eye(4)), factor).data
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(data)[None, None], scale_factor=1 / factor, mode="trilinear"
    )
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "half"), [((169, 208, 179), (84, 104, 89)), ((85, 104, 90), (42, 52, 45)), ((176, 208, 1), (88, 104, 1))]
)
def test_halving_gives_the_papers_shapes(shape: tuple[int, ...], half: tuple[int, ...]) -> None:
    assert downsample(Volume(np.zeros(shape, np.float32), np.eye(4)), 2).data.shape == half


def test_halving_is_the_mean_of_eight_voxels(rng: np.random.Generator) -> None:
    data = rng.random((4, 6, 8), dtype=np.float32)
    expected = data.reshape(2, 2, 3, 2, 4, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(downsample(Volume(data, np.eye(4)), 2).data, expected, rtol=1e-6)


@pytest.mark.parametrize("shrink", [downsample, block_mean])
@given(shape=sides, factor=st.integers(1, 4))
def test_shrinking_keeps_the_voxel_centres_where_they_are(shrink, shape: tuple[int, ...], factor: int) -> None:
    affine = np.array([[0.0, -1.5, 0, 9], [1, 0, 0.1, -4], [0, 0, 2, 7], [0, 0, 0, 1]])
    smaller = shrink(ramp(shape, affine), factor)
    np.testing.assert_allclose(smaller.data, ramp(smaller.data.shape, smaller.affine).data, atol=1e-4)


def test_a_slice_keeps_its_only_plane(rng: np.random.Generator) -> None:
    volume = Volume(rng.random((8, 6, 1), dtype=np.float32), np.diag([1.0, 1, 5, 1]))
    half = downsample(volume, 2)
    np.testing.assert_allclose(half.affine, [[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 5, 0], [0, 0, 0, 1]])


def test_a_scan_is_coarsened_by_whole_cells_only_where_it_is_finer() -> None:
    fine = ramp((20, 20, 20), np.diag([1.0, 1, 1, 1]))
    assert coarsen(fine, 4).data.shape == (5, 5, 5)
    assert coarsen(fine, 1.2) is fine


def test_each_axis_is_coarsened_by_its_own_voxel_size() -> None:
    slices = ramp((20, 20, 5), np.diag([1.0, 1, 5, 1]))
    coarse = coarsen(slices, 4)
    assert coarse.data.shape == (5, 5, 5)
    np.testing.assert_allclose(coarse.data, ramp(coarse.data.shape, coarse.affine).data, atol=1e-4)


def test_the_field_of_view_ends_at_the_outermost_centres_less_a_margin() -> None:
    index = np.array([[0.0, 0, 0], [4, 5, 6], [-0.4, 2, 2], [2, 2, 6.4], [1, 2, 3]])
    assert lies_within(index, (5, 6, 7)).tolist() == [True, True, False, False, True]
    assert lies_within(index, (5, 6, 7), -0.5).all()
    assert lies_within(index, (5, 6, 7), 1.0).tolist() == [False, False, False, False, True]
    assert not lies_within(index, (5, 6, 7), np.array([0.0, 2.5, 0.0]))[4]


def test_resampling_onto_its_own_grid_changes_nothing(volume: Volume) -> None:
    np.testing.assert_allclose(resample(volume, np.eye(4), grid_of(volume)).data, volume.data, atol=1e-6)


def test_a_shift_of_one_voxel_moves_by_one_voxel(volume: Volume) -> None:
    shift = np.eye(4)
    shift[0, 3] = 1.0  # mm, the width of this volume's voxels along x
    moved = resample(volume, shift, grid_of(volume))
    np.testing.assert_allclose(moved.data[1:], volume.data[:-1], atol=1e-6)
    np.testing.assert_allclose(moved.data[0], volume.data.min())


def test_resampling_is_linear_in_the_world(rng: np.random.Generator) -> None:
    source = ramp((12, 13, 14), np.diag([2.0, 1.5, 1, 1]))
    turn = np.array([[0.0, -1, 0, 20], [1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
    grid = Grid((4, 5, 6), np.array([[1.0, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 2], [0, 0, 0, 1]]))
    carried = resample(source, turn, grid)
    index = np.indices(grid.shape).reshape(3, -1)
    there = np.linalg.inv(turn) @ grid.affine @ np.vstack([index, np.ones(index.shape[1])])
    np.testing.assert_allclose(carried.data.ravel(), np.array([0.3, -0.2, 0.5]) @ there[:3], atol=1e-4)


@given(shape=sides, wanted=sides)
def test_cutting_and_filling_keeps_every_voxel_in_its_place(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    affine = np.array([[0.0, -1.5, 0, 9], [1, 0, 0.1, -4], [0, 0, 2, 7], [0, 0, 0, 1]])
    fitted = fit_centre(ramp(shape, affine), wanted)
    assert fitted.data.shape == wanted
    expected = ramp(wanted, fitted.affine).data
    known = fitted.data != ramp(shape, affine).data.min()
    np.testing.assert_allclose(fitted.data[known], expected[known], atol=1e-4)
    assert known.sum() >= np.minimum(shape, wanted).prod() - 1


def test_the_far_end_takes_the_odd_voxel() -> None:
    line = Volume(np.arange(1, 6, dtype=np.float32).reshape(5, 1, 1), np.eye(4))
    assert fit_centre(line, (8, 1, 1)).data.ravel().tolist() == [1, 1, 2, 3, 4, 5, 1, 1]
    assert fit_centre(line, (2, 1, 1)).data.ravel().tolist() == [2, 3]
    assert fit_centre(line, (8, 1, 1)).affine[0, 3] == -1 and fit_centre(line, (2, 1, 1)).affine[0, 3] == 1


@given(shape=sides, wanted=sides)
def test_stretching_keeps_the_field_of_view(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    affine = np.array([[0.0, -1.5, 0, 9], [1, 0, 0.1, -4], [0, 0, 2, 7], [0, 0, 0, 1]])
    fitted = fit_extent(ramp(shape, affine), wanted)
    assert fitted.data.shape == wanted
    for corner in (np.full(3, -0.5), np.array(shape) - 0.5):
        ours = (corner + 0.5) / shape * wanted - 0.5
        np.testing.assert_allclose(fitted.affine @ [*ours, 1], affine @ [*corner, 1], atol=1e-9)


def test_stretching_to_its_own_shape_changes_nothing(volume: Volume) -> None:
    same = fit_extent(volume, volume.data.shape)
    np.testing.assert_allclose(same.data, volume.data, atol=1e-6)
    np.testing.assert_allclose(same.affine, volume.affine)
