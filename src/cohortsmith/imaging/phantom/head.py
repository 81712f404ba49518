"""A head around a brain: skull, scalp, face, eyes and neck synthesised from the brain mask.

Rough on purpose: it gives registration and min-max scaling the bright scalp, dark bone and air they meet in a
real scan. All places are template mm (MNI world, RAS+), all thicknesses mm, set by eye on the template.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Axes = list[Array]

SUBARACHNOID, BONE, SCALP = 2.5, 6.0, 6.5
FAT = 4.5
FACE = ((0, 46, -62), (60, 52, 62))
EYES = (((-32, 66, -36), (12, 12, 12)), ((32, 66, -36), (12, 12, 12)))
AIRWAY = (((0, 66, -58), (14, 26, 20)), ((0, 22, -88), (10, 9, 40)))
NECK_CENTRE, NECK_RADII, NECK_TOP = (0, -22), (56, 60), -50


def head_around(brain: Mask, affine: NDArray[np.float64]) -> dict[str, Array]:
    """Return fractions (X, Y, Z) of subarachnoid fluid, marrow, muscle, fat and eye; bone and air stay at zero."""
    axes = _world_axes(brain.shape, affine)
    voxel = float(affine[0, 0])
    outside = _distance_outside(brain, voxel)
    skull_end = SUBARACHNOID + BONE
    head = _smooth_union([outside < skull_end + SCALP, ellipsoid(axes, *FACE), _neck(axes)], voxel)
    soft = head & (outside >= skull_end) & ~_any(axes, AIRWAY)
    eye = soft & _any(axes, EYES)
    skin_depth = ndimage.distance_transform_edt(head, sampling=voxel)
    fat = soft & ~eye & (skin_depth <= FAT)
    layers = {
        "subarachnoid": (outside > 0) & (outside < SUBARACHNOID),
        "marrow": np.abs(outside - SUBARACHNOID - BONE / 2) < BONE / 6,
        "muscle": soft & ~eye & ~fat,
        "fat": fat,
        "eye": eye,
    }
    return {name: _soften(layer, voxel) for name, layer in layers.items()}


def ellipsoid(axes: Axes, centre: tuple[int, ...], radii: tuple[int, ...]) -> Mask:
    """Mark the voxels inside an axis-aligned ellipsoid (mm)."""
    terms = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)]
    return np.asarray(sum(terms) < 1)


def _any(axes: Axes, ellipsoids: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]) -> Mask:
    return np.asarray(np.logical_or.reduce([ellipsoid(axes, *each) for each in ellipsoids]))


def _neck(axes: Axes) -> Mask:
    x, y, z = axes
    across = ((x - NECK_CENTRE[0]) / NECK_RADII[0]) ** 2 + ((y - NECK_CENTRE[1]) / NECK_RADII[1]) ** 2
    return np.asarray((across < 1) & (z < NECK_TOP))


def _world_axes(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Axes:
    """Return the world coordinate along each axis, shaped to broadcast: the template grids are not rotated."""
    ticks = [affine[i, 3] + affine[i, i] * np.arange(side) for i, side in enumerate(shape)]
    return list(np.meshgrid(*ticks, indexing="ij", sparse=True))


def _distance_outside(brain: Mask, voxel: float) -> Array:
    """Measure the distance (mm) to the brain after its fissures are closed (8 mm)."""
    near = ndimage.distance_transform_edt(~brain, sampling=voxel) < 8
    closed = ndimage.distance_transform_edt(near, sampling=voxel) > 8
    return np.asarray(ndimage.distance_transform_edt(~(closed | brain), sampling=voxel))


def _smooth_union(parts: list[Mask], voxel: float) -> Mask:
    union = np.logical_or.reduce(parts).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(union, 4 / voxel, mode="nearest") > 0.5)


def _soften(layer: Mask, voxel: float) -> Array:
    return np.asarray(ndimage.gaussian_filter(layer.astype(np.float32), 0.8 / voxel))
