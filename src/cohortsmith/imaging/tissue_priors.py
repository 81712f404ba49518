"""How likely each tissue is at each place of MNI space, and where the ventricles lie.

Source: grey- and white-matter maps of the ICBM 152 template (Fonov et al., 2011) as nilearn ships them; fluid is what
they leave of the brain.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nibabel.affines import voxel_sizes
from nilearn import datasets
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.imaging.grid import Grid
from cohortsmith.imaging.tissue_contrast import largest_part

Array = NDArray[np.floating]

_RESOLUTION = 2  # mm of the maps; the voxels of a model's grid are no finer as a rule
# Full width (mm) of the smoothing that stands for what an affine leaves of the differences between people; as wide as
# the kernels that smoothed the priors of SPM (8 mm, Ashburner and Friston 1997).
_VARIABILITY = 8.0
_FWHM = np.sqrt(8 * np.log(2))
_DEEP = 25.0  # mm below the brain's surface: leaves sulci and the basal cisterns out
_REACH = 8.0  # mm around the template's ventricles in which a subject's are looked for


class TissuePriors(NamedTuple):
    """On one grid: the share of fluid, grey and white matter expected in each voxel of the brain.

    inside:     (X, Y, Z) voxels of the brain
    shares:     (n, 3) fluid, grey, white at the n voxels inside; rows sum to 1
    ventricles: (n,) whether a voxel inside may belong to the lateral ventricles, enlarged ones too
    """

    inside: NDArray[np.bool_]
    shares: NDArray[np.float64]
    ventricles: NDArray[np.bool_]


def tissue_priors(grid: Grid) -> TissuePriors:
    """Put the tissue maps on a grid of MNI space; kept for the last grid."""
    return _tissue_priors(grid.shape, tuple(grid.affine.ravel()))


@lru_cache(maxsize=1)
def _tissue_priors(shape: tuple[int, int, int], numbers: tuple[float, ...]) -> TissuePriors:
    affine = np.array(numbers).reshape(4, 4)
    brain, grey, white, to_world = _template_maps()
    width = np.hypot(_VARIABILITY, float(voxel_sizes(affine).max())) / _RESOLUTION
    to_index = np.linalg.inv(to_world) @ affine

    def onto_grid(image: Array, width: float = width) -> Array:
        smooth = ndimage.gaussian_filter(image.astype(np.float32), width / _FWHM)
        return np.asarray(ndimage.affine_transform(smooth, to_index, output_shape=shape, order=1))

    inside = onto_grid(brain, float(voxel_sizes(affine).max()) / _RESOLUTION) > 0.5
    parts = [onto_grid(image)[inside] for image in (np.clip(brain - grey - white, 0, 1), grey, white)]
    shares = np.stack(parts, axis=1).astype(np.float64).clip(1e-6)
    near = ndimage.distance_transform_edt(~_lateral_ventricles(brain, grey, white), sampling=_RESOLUTION) < _REACH
    return TissuePriors(inside, shares / shares.sum(axis=1, keepdims=True), onto_grid(near, 0)[inside] > 0.5)


@lru_cache(maxsize=1)
def _template_maps() -> tuple[Array, Array, Array, Array]:
    loaders = (datasets.load_mni152_brain_mask, datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    brain, grey, white = (load(resolution=_RESOLUTION) for load in loaders)
    return *(np.asarray(image.dataobj, dtype=np.float32) for image in (brain, grey, white)), brain.affine


def _lateral_ventricles(brain: Array, grey: Array, white: Array) -> NDArray[np.bool_]:
    """Find the largest body of fluid deep in the brain."""
    depth = ndimage.distance_transform_edt(brain > 0.5, sampling=_RESOLUTION)
    return largest_part((brain - grey - white > 0.5) & (depth > _DEEP))
