"""Take the face off a scan: a wedge before and below the brain, placed by the scan's own registration.

The wedge is fixed in template space, as the mask of PyDeface is, and cuts at about the same places: before the temporal
poles, under the frontal lobe, up to the brow. What lies close to the template's brain stays.
"""

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from cohortsmith.imaging.grid import grid_of
from cohortsmith.imaging.native_space import to_native
from cohortsmith.imaging.template import brain_mask
from cohortsmith.imaging.volume import Volume

# Template mm: the wedge begins at y = 35; its roof lies at z = -33 and rises to the brow by 0.5 mm per mm.
_FRONT = 35.0
_LEVEL = -33.0
_RISE, _AXIS = 0.5, -52.0
_NEAR_BRAIN = 5.0  # mm; an affine registration leaves errors of a few


def is_not_face(volume: Volume, transform: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the voxels (X, Y, Z) that are kept.

    transform: (4, 4) scan world -> template world, mm.
    """
    near = to_native(brain_mask(2.0, _NEAR_BRAIN), transform, grid_of(volume), order=0).data > 0.5
    plane = np.stack(np.meshgrid(*(np.arange(n) for n in volume.data.shape[1:]), indexing="ij"), axis=-1)
    for x in range(len(near)):  # coordinates of all voxels at once would be six times the scan
        voxels = np.insert(plane, 0, x, axis=-1)
        near[x] |= ~_in_wedge(apply_affine(transform @ volume.affine, voxels))
    return near


def remove(volume: Volume, kept: NDArray[np.bool_]) -> Volume:
    """Set to zero what is not kept."""
    return Volume(np.where(kept, volume.data, np.float32(0)), volume.affine)


def _in_wedge(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    y, z = points[..., 1], points[..., 2]
    return np.asarray((y > _FRONT) & (z < np.maximum(_LEVEL, _RISE * y + _AXIS)))
