"""A phantom subject as a perfect preparation would give it: in the template's pose, without a receive field.

Some hundred times faster than a scan with N4 and registration, for questions that concern neither.
"""

from functools import lru_cache

import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.grid import Grid
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.phantom import deformation
from cohortsmith.imaging.phantom.anatomy import Anatomy, draw_anatomy
from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.phantom.cohort import Study, subject_stream
from cohortsmith.imaging.phantom.regions import REGION_RESOLUTION
from cohortsmith.imaging.phantom.scan import POINT_SPREAD
from cohortsmith.imaging.phantom.scanner import Scanner, draw_scanner
from cohortsmith.imaging.volume import Volume

Array = NDArray[np.float32]


def make_aligned(config: PhantomConfig, study: Study, index: int, person: pd.Series, grid: Grid) -> Volume:
    """Make the aligned scan of a person (a row of the cohort) on `grid`, intensities in [0, 1]."""
    anatomy = draw_anatomy(config, study, index, person)
    scanner = draw_scanner(config, study, person["site"], subject_stream(config, study, index, purpose=3))
    maps = tissue_maps(anatomy, grid)
    signal = scanner.signal | {"texture": scanner.signal["white"] - scanner.signal["grey"]}
    clean = np.maximum(sum(np.float32(signal[name]) * image for name, image in maps.items()), 0)
    noise = _noise(scanner, grid, subject_stream(config, study, index, purpose=4))
    return Volume(min_max(np.hypot(clean + noise[0], noise[1]).astype(np.float32)), grid.affine)


def tissue_maps(anatomy: Anatomy, grid: Grid) -> dict[str, Array]:
    """Give each tissue's fraction (X, Y, Z) of a subject's voxels, in the template's pose; and the texture."""
    voxel = float(voxel_sizes(grid.affine).max())
    index = np.indices(grid.shape, dtype=np.float64).reshape(3, -1)
    points = deformation.displace(grid.affine[:3, :3] @ index + grid.affine[:3, 3:], anatomy.backward)
    to_atlas = np.linalg.inv(load_atlas(REGION_RESOLUTION).affine)
    places = to_atlas[:3, :3] @ points + to_atlas[:3, 3:]
    return {
        name: ndimage.map_coordinates(image, places, order=1).reshape(grid.shape)
        for name, image in _blurred_maps(voxel).items()
    }


@lru_cache(maxsize=2)
def _blurred_maps(voxel: float) -> dict[str, Array]:
    atlas = load_atlas(REGION_RESOLUTION)
    sigma = POINT_SPREAD * np.sqrt(max(voxel**2 - atlas.resolution**2, 0)) / atlas.resolution
    return {name: ndimage.gaussian_filter(image.astype(np.float32), sigma) for name, image in atlas.maps.items()}


def _noise(scanner: Scanner, grid: Grid, random: np.random.Generator) -> NDArray[np.float64]:
    # a voxel of the grid averages the noise of the scanner's voxels within it
    averaged = np.sqrt(np.prod(scanner.voxel) / abs(np.linalg.det(grid.affine[:3, :3])))
    return random.normal(0, scanner.noise * min(float(averaged), 1.0), (2, *grid.shape))
