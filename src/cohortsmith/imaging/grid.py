"""Grids of voxels in the world, and volumes moved from one to another."""

from typing import NamedTuple

import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.imaging.volume import Volume


class Grid(NamedTuple):
    """Where voxels lie.

    shape:  voxels along each axis
    affine: (4, 4) voxel index -> world mm, RAS+
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]


def grid_of(volume: Volume) -> Grid:
    """Give the grid on which a volume lies."""
    nx, ny, nz = volume.data.shape
    return Grid((nx, ny, nz), volume.affine)


def downsample(volume: Volume, factor: int) -> Volume:
    """Interpolate trilinearly at the centres of `factor`-voxel cells: (n) -> (n // factor) per axis.

    Equals `torch.nn.functional.interpolate(x, scale_factor=1 / factor, mode="trilinear")`, for factor 2 the mean
    of 2 x 2 x 2 voxels (Chadebec et al. 2022, section 1.5: 169 x 208 x 179 -> 84 x 104 x 89). Axes of one voxel
    (2-D images) are kept.
    """
    data = volume.data
    for axis in range(3):
        data = _at_cell_centres(data, factor, axis) if data.shape[axis] > 1 else data
    return Volume(data, _coarser_affine(volume, factor))


def _at_cell_centres(data: NDArray[np.float32], factor: int, axis: int) -> NDArray[np.float32]:
    cells = data.shape[axis] // factor * factor
    before, after = (np.arange(start, cells, factor) for start in ((factor - 1) // 2, factor // 2))
    return (data.take(before, axis) + data.take(after, axis)) * np.float32(0.5)


def block_mean(volume: Volume, factors: int | NDArray[np.int_]) -> Volume:
    """Average cells of `factors` voxels (one per axis), dropping the incomplete last ones: a copy without aliasing."""
    data = volume.data
    for axis, factor in enumerate(np.broadcast_to(factors, 3)):
        data = _cell_means(data, int(factor), axis) if factor > 1 and data.shape[axis] > 1 else data
    return Volume(data, _coarser_affine(volume, factors))


def _cell_means(data: NDArray[np.float32], factor: int, axis: int) -> NDArray[np.float32]:
    starts = np.arange(0, data.shape[axis] // factor * factor, factor)
    sums = np.add.reduceat(data.take(np.arange(len(starts) * factor), axis), starts, axis)
    return np.asarray(sums / factor, dtype=np.float32)


def _coarser_affine(volume: Volume, factors: int | NDArray[np.int_]) -> NDArray[np.float64]:
    # A cell's centre lies (factor - 1) / 2 voxels beyond the centre of its first voxel.
    factors = np.where(np.array(volume.data.shape) > 1, factors, 1)
    affine = np.asarray(volume.affine @ np.diag([*factors, 1.0]))
    affine[:3, 3] = volume.affine[:3, :3] @ ((factors - 1) / 2) + volume.affine[:3, 3]
    return affine


def coarsen(volume: Volume, spacing: float) -> Volume:
    """Average whole cells until voxels are about `spacing` mm along each axis; axes that are coarse enough stay."""
    factors = np.maximum(np.rint(spacing / voxel_sizes(volume.affine)), 1).astype(int)
    return block_mean(volume, factors) if factors.max() > 1 else volume


def lies_within(
    index: NDArray[np.float64], shape: tuple[int, ...], margin: float | NDArray[np.float64] = 0.0
) -> NDArray[np.bool_]:
    """Say which of the (n, 3) voxel indices lie between the centres of the outermost voxels.

    margin: voxels (one number, or one per axis) by which they must lie inside; below 0 they may lie outside.
    """
    return np.asarray(((index >= margin) & (index <= np.array(shape) - 1 - margin)).all(axis=1))


def resample(volume: Volume, transform: NDArray[np.float64], grid: Grid, order: int = 1) -> Volume:
    """Carry a volume onto a grid, once, by linear interpolation.

    transform: (4, 4) from the volume's world to the grid's world, mm. order: 0 for masks.
    Voxels from outside the field of view get the volume's minimum.
    """
    to_index = np.linalg.inv(transform @ volume.affine) @ grid.affine
    data = ndimage.affine_transform(
        volume.data,
        to_index,
        output_shape=grid.shape,
        order=order,
        mode="constant",
        cval=float(volume.data.min()),
    )
    return Volume(data.astype(np.float32, copy=False), grid.affine)


def fit_centre(volume: Volume, shape: tuple[int, int, int]) -> Volume:
    """Cut, or fill with the volume's minimum, both ends of each axis alike; the far end takes the odd voxel."""
    surplus = np.array(shape) - volume.data.shape
    before = np.where(surplus > 0, surplus // 2, -(-surplus // 2))
    kept = volume.data[*(slice(max(-b, 0), max(-b, 0) + n) for b, n in zip(before, shape, strict=True))]
    missing = np.array(shape) - kept.shape
    starts = np.maximum(before, 0)
    widths = list(zip(starts, missing - starts, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] -= volume.affine[:3, :3] @ before
    return Volume(np.pad(kept, widths, constant_values=float(volume.data.min())), affine)


def fit_extent(volume: Volume, shape: tuple[int, int, int]) -> Volume:
    """Interpolate linearly onto `shape` voxels that fill the same field of view."""
    stretch = np.array(volume.data.shape) / shape
    affine = volume.affine @ np.diag([*stretch, 1.0])
    affine[:3, 3] = volume.affine[:3, :3] @ ((stretch - 1) / 2) + volume.affine[:3, 3]
    # Where voxels get smaller, the outermost centres lie beyond the last known ones: the edge is repeated.
    padded = Volume(np.pad(volume.data, 1, mode="edge"), volume.affine.copy())
    padded.affine[:3, 3] -= volume.affine[:3, :3].sum(axis=1)
    return resample(padded, np.eye(4), Grid(shape, affine))
