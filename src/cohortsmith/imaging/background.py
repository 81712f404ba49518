"""What the air around a head holds: noise, and ghosts along the axis in which the head moved or was encoded."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.imaging.grid import coarsen
from cohortsmith.imaging.intensity import foreground
from cohortsmith.imaging.tissue_contrast import largest_part
from cohortsmith.imaging.volume import Volume

_VOXEL = 4.0  # mm
_MARGIN = 2  # voxels between head and air
_FEWEST = 50  # voxels


def measure_background(scan: Volume) -> dict[str, float]:
    """Compare the air with the head, before any correction; numbers that the field of view does not allow are left out.

    air_signal: mean of the air over the median of the head (0 where the background was set to zero).
    ghosting: largest difference between the means of the air beside the head along two axes, over the head's median (as
    the ghost-to-signal ratio of functional scans, without knowing the axis of phase encoding).
    """
    coarse = coarsen(scan, _VOXEL)
    head = largest_part(ndimage.binary_opening(foreground(coarse.data)))
    if not head.any():
        return {}
    signal = float(np.median(coarse.data[head]))
    slabs = [slab for axis in range(3) if (slab := _beside(coarse.data, head, axis)).size >= _FEWEST]
    if not slabs or signal <= 0:
        return {}
    numbers = {"air_signal": float(np.concatenate(slabs).mean()) / signal}
    if len(slabs) > 1:
        means = [float(slab.mean()) for slab in slabs]
        numbers["ghosting"] = (max(means) - min(means)) / signal
    return numbers


def _beside(data: NDArray[np.float32], head: NDArray[np.bool_], axis: int) -> NDArray[np.float32]:
    """Give the voxels before and behind the head's bounding box along one axis."""
    box = [(int(index.min()), int(index.max()) + 1) for index in np.nonzero(head)]
    rest = tuple(slice(None) if other == axis else slice(*box[other]) for other in range(3))
    beam = np.moveaxis(data[rest], axis, 0)
    low, high = box[axis]
    return np.concatenate([beam[: max(low - _MARGIN, 0)].ravel(), beam[high + _MARGIN :].ravel()])
