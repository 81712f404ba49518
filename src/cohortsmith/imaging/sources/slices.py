"""A folder of 2-D images (PNG, JPEG), aligned to each other, with a table."""

import struct
import zlib
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.sources.candidates import require_inside
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_table,
    require_folder,
    require_table,
    required_columns,
)
from cohortsmith.imaging.sources.inventory import Converted, Inventory, Visit
from cohortsmith.imaging.sources.listing import Found, Row, list_rows
from cohortsmith.imaging.sources.nifti import find_scan, scans_in
from cohortsmith.imaging.volume import Volume, check_grid, check_voxels

SUFFIXES = (".png", ".jpg", ".jpeg")
_MINIMUM_SIDE = 16
_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, struct.error, zlib.error),
    *(MemoryError, Image.DecompressionBombError),
)


def read_inventory(study: StudyConfig) -> Inventory:
    """List the rows of `study.table` (by default <path>/participants.tsv) with an image under `study.path`.

    The image is named by the column `study.columns.file`, else it is <participant>.png, or the only image whose name
    begins with <participant>_.
    """
    folder = require_folder(study.path, "study.path")
    rows = read_table(
        require_table(study.table or "participants.tsv", folder),
        required_columns(study.columns, study.columns.session, study.columns.file),
    )
    images = scans_in(folder, SUFFIXES)
    return list_rows(rows, study, partial(_find, folder, images, study.columns), images)


def _find(folder: Path, images: list[str], columns: Columns, row: Row) -> Found:
    try:
        return find_scan(folder, columns, SUFFIXES, row)
    except UnusableValue:
        beginning = f"{row[columns.participant]}_"
        matches = [] if columns.file else [image for image in images if PurePath(image).name.startswith(beginning)]
        if len(matches) != 1:
            raise
        return Found(str(require_inside(folder, matches[0])), place=matches[0])


def convert(visit: Visit) -> Converted:
    """Turn one image into a volume of one slice, (X, Y, 1) on 1 mm voxels, upright in RAS+."""
    pixels, key = _grey_pixels(Path(visit.source), visit.key), visit.key
    data = np.ascontiguousarray(pixels[::-1].T)[:, :, None]
    check_grid((*data.shape[:2], _MINIMUM_SIDE), np.eye(4), key, _MINIMUM_SIDE)
    check_voxels(data, key)
    return Converted(Volume(data, np.eye(4)), {})


def _grey_pixels(path: Path, key: str) -> NDArray[np.float32]:
    try:
        if not path.is_file():
            raise OSError("a pipe or a device never ends")
        # Formats by content, not by name: others may start programs.
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            grey = image if image.mode.startswith(("I", "F")) else image.convert("L")
            return np.asarray(grey, dtype=np.float32)
    except _UNREADABLE as error:
        raise ScanRejected(
            "image cannot be read",
            where=key,
            got=type(error).__name__,
            expected="a whole PNG or JPEG file",
            remedy="export the image again",
        ) from None
