"""Where the disease acts: lateral ventricles, hippocampi and medial temporal cortex of the template.

The ventricles are found in the fluid map; the hippocampi are grey matter around a centre line placed by eye on
the template, since no label map ships with it.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from cohortsmith.imaging.phantom.atlas import Atlas, load_atlas

Array = NDArray[np.floating]

REGION_RESOLUTION = 2  # mm, whatever the voxels of the scans: sizes must not depend on them
# Template mm, right side, from the head of the hippocampus to its tail.
HIPPOCAMPUS_LINE = ((22, -8, -19), (27, -13, -20), (30, -21, -16), (30, -29, -10), (25, -37, -3))
HIPPOCAMPUS_RADIUS, TEMPORAL_RADIUS = 5.5, 14.0
IN_A_VENTRICLE = (8, -10, 22)
PERIVENTRICULAR = 5.0  # mm
DEEP = 25.0  # mm under the surface of the brain: leaves the cisterns out


class Regions(NamedTuple):
    """Fractions (X, Y, Z) on the 2 mm template grid, and that grid.

    periventricular: the ventricles and 5 mm around them
    temporal:        hippocampi and medial temporal cortex together
    """

    ventricles: Array
    periventricular: Array
    hippocampi: Array
    temporal: Array
    grey: Array
    affine: NDArray[np.float64]


@lru_cache(maxsize=1)
def load_regions() -> Regions:
    """Find the regions in the template; kept for the life of the process."""
    atlas = load_atlas(REGION_RESOLUTION)
    grey = atlas.maps["grey"].astype(np.float32)
    away = _distance_from_hippocampal_line(atlas)
    ventricles = _lateral_ventricles(atlas)
    beside = ndimage.distance_transform_edt(ventricles < 0.5, sampling=atlas.resolution)
    return Regions(
        ventricles=ventricles,
        periventricular=(beside < PERIVENTRICULAR).astype(np.float32),
        hippocampi=grey * (away < HIPPOCAMPUS_RADIUS),
        temporal=grey * (away < TEMPORAL_RADIUS),
        grey=grey,
        affine=atlas.affine,
    )


def _lateral_ventricles(atlas: Atlas) -> Array:
    fluid = atlas.maps["csf"].astype(np.float32)
    brain = fluid + atlas.maps["grey"] + atlas.maps["white"] > 0.5
    depth = ndimage.distance_transform_edt(brain, sampling=atlas.resolution)
    parts, _ = ndimage.label((fluid > 0.5) & (depth > DEEP))
    seed = np.rint(np.linalg.solve(atlas.affine, [*IN_A_VENTRICLE, 1])[:3]).astype(int)
    core = parts == parts[tuple(seed)]
    return np.asarray(fluid * ndimage.binary_dilation(core))


def _distance_from_hippocampal_line(atlas: Atlas) -> Array:
    right = np.array(HIPPOCAMPUS_LINE, dtype=float)
    steps = np.linspace(0, len(right) - 1, 60)
    line = np.stack([np.interp(steps, range(len(right)), right[:, axis]) for axis in range(3)], axis=1)
    both = np.concatenate([line, line * [-1, 1, 1]])
    shape = atlas.maps["grey"].shape
    points = np.indices(shape).reshape(3, -1).T * atlas.resolution + atlas.affine[:3, 3]
    distance, _ = cKDTree(both).query(points, distance_upper_bound=TEMPORAL_RADIUS)
    return np.asarray(distance).reshape(shape)
