"""Volumes as pictures: the three central planes, seen as they are usually shown.

Left of the picture is left of the head, up is superior (axial: anterior), for volumes whose axes run right, anterior,
superior. An image that is 2-D already is its own single plane.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

PLANE_NAMES = ("axial", "coronal", "sagittal")
_NORMAL = (2, 1, 0)  # the axis each plane is perpendicular to


def central_planes(image: NDArray[Any]) -> list[NDArray[Any]]:
    """Cut (X, Y, Z) into its axial, coronal and sagittal planes; turn (X, Y) or (X, Y, 1) upright. Row 0 is on top."""
    if image.ndim == 2:
        return [np.rot90(image)]
    if image.shape[2] == 1:
        return [np.rot90(image[:, :, 0])]
    return [np.rot90(np.take(image, image.shape[axis] // 2, axis)) for axis in _NORMAL]


def plane_names(n_planes: int) -> tuple[str, ...]:
    """Name the planes of an image; a 2-D image's only plane needs no name."""
    return PLANE_NAMES if n_planes == len(PLANE_NAMES) else ("",) * n_planes


def as_bytes(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Give 8-bit grey: [0, 1] is stretched to [0, 255], 8-bit stays."""
    scale = 1 if plane.dtype == np.uint8 else 255
    return np.asarray((np.clip(np.nan_to_num(plane), 0, 255 // scale) * scale).round(), dtype=np.uint8)


def edges(plane: NDArray[Any], share: float = 0.12) -> NDArray[np.bool_]:
    """Mark the steepest `share` of pixels, thinned to the crest of the slope."""
    smooth = ndimage.gaussian_filter(plane.astype(float), 1.0)
    down, right = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
    slope = np.hypot(down, right)
    steep = slope > max(float(np.quantile(slope, 1 - share)), 1e-6)
    return np.asarray(steep & _is_crest(slope, down, right))


def _is_crest(slope: NDArray[Any], down: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Compare each pixel with both neighbours along its gradient (non-maximum suppression; Canny 1986)."""
    length = np.maximum(slope, 1e-9)
    rows, columns = np.indices(slope.shape)
    steps: Sequence[int] = (-1, 1)
    beside = [
        ndimage.map_coordinates(
            slope, [rows + s * down / length, columns + s * right / length], order=1, mode="nearest"
        )
        for s in steps
    ]
    return np.asarray((slope >= beside[0]) & (slope > beside[1]))
