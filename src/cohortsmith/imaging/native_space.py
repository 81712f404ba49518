"""The way back from the template to the scan: transforms as files, images and points in the scan's own world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohortsmith.errors import CohortsmithError
from cohortsmith.imaging.ants_door import matrix_from_itk, matrix_to_itk
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.volume import Volume

Matrix = NDArray[np.float64]
_HEADER = "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"


def itk_text(transform: Matrix) -> str:
    """Write a (4, 4) matrix, scan world -> template world (mm, RAS+), as ITK's text of the same resampling.

    The file is what `antsApplyTransforms` takes to bring the scan onto the template: ITK's parameters carry points of
    the template to points of the scan (mm, LPS), about the origin.
    """
    parameters = matrix_to_itk(np.asarray(np.linalg.inv(transform)), np.zeros(3))
    return f"{_HEADER}Parameters: {' '.join(repr(float(value)) for value in parameters)}\nFixedParameters: 0 0 0\n"


def read_itk_text(path: Path) -> Matrix:
    """Read the matrix, scan world -> template world, back from a file that `itk_text` or ANTs wrote.

    Raises `CohortsmithError` if the file holds no affine of three dimensions.
    """
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    values = {name: np.array(lines.get(name, "").split(), dtype=float) for name in ("Parameters", "FixedParameters")}
    if values["Parameters"].size != 12 or values["FixedParameters"].size != 3:
        raise CohortsmithError(
            "the transform cannot be read",
            where=path.name,
            expected="ITK text of one affine transform in three dimensions",
            remedy="give the _xfm.txt file that was written beside the prepared scan",
        )
    return np.asarray(np.linalg.inv(matrix_from_itk(values["Parameters"], values["FixedParameters"])))


def to_native(volume: Volume, transform: Matrix, native: Grid, order: int = 1) -> Volume:
    """Carry an image from the template's space (any grid) onto the scan's own grid, linearly (order 0: for masks).

    transform: (4, 4) scan world -> template world, as in the record. native: see `native_grid`.
    """
    return resample(volume, np.asarray(np.linalg.inv(transform)), native, order)


def points_to_native(points: Matrix, transform: Matrix) -> Matrix:
    """Carry points (n, 3) in mm from the template's world to the scan's."""
    back = np.linalg.inv(transform)
    return np.asarray(points @ back[:3, :3].T + back[:3, 3])


def native_grid(record: Mapping[str, Any]) -> Grid:
    """Give the scan's own grid from the record of its prepared scan."""
    nx, ny, nz = record["NativeGrid"]["Shape"]
    return Grid((nx, ny, nz), np.array(record["NativeGrid"]["Affine"], dtype=float))
