"""The size of the lateral ventricles in a prepared scan, real or synthetic.

A yardstick, not a segmentation: dark voxels are counted, softly, around the ventricles of the template, on a scale
set by the scan's own white matter and fluid, so that neither contrast nor min-max scaling matters much.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.phantom.regions import REGION_RESOLUTION, load_regions
from cohortsmith.imaging.volume import Volume

Array = NDArray[np.floating]

REACH = 8.0  # mm around the template's ventricles in which a subject's are looked for
FLUID_LEVEL, GREY_LEVEL = 0.35, 0.78  # signal relative to white matter: all fluid below, none above


def ventricle_map(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Array:
    """Sample the template's lateral ventricles (fraction per voxel) on a grid in MNI space."""
    return _on_grid(load_regions().ventricles, shape, affine)


def ventricle_volume(volume: Volume) -> float:
    """Estimate the volume of the lateral ventricles, mm^3, of a scan aligned with MNI space."""
    shape, affine = volume.data.shape, volume.affine
    near = _on_grid(_neighbourhood(), shape, affine)
    white = np.median(volume.data[_on_grid(_white_matter(), shape, affine) > 0.9])
    level = volume.data / max(float(white), 1e-6)
    dark = np.clip((GREY_LEVEL - level) / (GREY_LEVEL - FLUID_LEVEL), 0, 1)
    return float((near * dark).sum() * abs(np.linalg.det(affine[:3, :3])))


@lru_cache(maxsize=1)
def _neighbourhood() -> Array:
    away = ndimage.distance_transform_edt(load_regions().ventricles < 0.5, sampling=REGION_RESOLUTION)
    return np.asarray(away < REACH, dtype=np.float32)


@lru_cache(maxsize=1)
def _white_matter() -> Array:
    return load_atlas(REGION_RESOLUTION).maps["white"].astype(np.float32)


def _on_grid(image: Array, shape: tuple[int, ...], affine: NDArray[np.float64]) -> Array:
    to_index = np.linalg.inv(load_regions().affine) @ affine
    return np.asarray(ndimage.affine_transform(image, to_index, output_shape=shape, order=1))
