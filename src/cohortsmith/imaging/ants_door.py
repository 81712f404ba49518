"""The only module that imports ANTsPy: one thread, and RAS mm outside, LPS mm inside."""

import os
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging.grid import Grid
from cohortsmith.imaging.volume import Volume

# RAS <-> LPS: the first two world axes change sign (its own inverse).
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def load_ants() -> Any:
    """Import ANTsPy when first needed (2 s), single-threaded: its sums depend on the number of threads."""
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    try:
        return import_module("ants")
    except ImportError as error:
        raise ConfigurationError(
            "ANTsPy is not installed",
            got=str(error),
            expected="the package antspyx",
            remedy="pip install antspyx, or set preparation.kind to 'slices' for images that are aligned already",
        ) from None


def to_ants(volume: Volume) -> Any:
    """Give an `ANTsImage` at the volume's place; ITK cannot hold shear, see `orthogonal_affine`."""
    affine = FLIP @ orthogonal_affine(volume.affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return load_ants().from_numpy(
        np.asarray(volume.data, dtype=np.float32),
        origin=affine[:3, 3].tolist(),
        spacing=spacing.tolist(),
        direction=affine[:3, :3] / spacing,
    )


def orthogonal_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the affine's nearest one with orthogonal axes, same spacing and origin (the same if it has no shear)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    orthogonal = affine.copy()
    orthogonal[:3, :3] = (left @ right) * spacing
    return orthogonal


def from_ants(image: Any, grid: Grid) -> Volume:
    """Take the voxels back, onto the grid they came from."""
    return Volume(np.asarray(image.numpy(), dtype=np.float32), grid.affine)


def matrix_from_itk(parameters: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the RAS world matrix (4, 4) of an ITK affine y = A (x - centre) + centre + t in LPS mm."""
    linear, translation = parameters[:9].reshape(3, 3), parameters[9:12]
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = translation + centre - linear @ centre
    return np.asarray(FLIP @ matrix @ FLIP, dtype=float)


def matrix_to_itk(matrix: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the 12 ITK parameters, about `centre` (LPS mm), of a RAS world matrix (4, 4)."""
    flipped = FLIP @ matrix @ FLIP
    translation = flipped[:3, 3] - centre + flipped[:3, :3] @ centre
    return np.concatenate([flipped[:3, :3].ravel(), translation])
