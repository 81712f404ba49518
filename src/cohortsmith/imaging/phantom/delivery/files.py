"""What an archive sends: named files, made in memory so that whoever writes them can do so all or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.imaging.atomic_write import write_bytes
from cohortsmith.imaging.volume import Volume

# Path relative to the delivery's root -> content.
Files = dict[str, bytes]


def write_files(root: Path, files: Files) -> None:
    """Write every file, whole or not at all, under a root."""
    for name, content in files.items():
        write_bytes(root / name, content)


def table_file(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    """Give a comma-separated table; columns a row lacks stay empty."""
    return pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False).encode()


def nifti_file(volume: Volume) -> bytes:
    """Give an uncompressed NIfTI-1 file of whole numbers, as an archive's processing leaves it."""
    image = nib.Nifti1Image(whole_numbers(volume.data), volume.affine)
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


def whole_numbers(data: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round intensities to what a scanner stores: 0 to 32767."""
    return np.clip(np.rint(data), 0, np.iinfo(np.int16).max).astype(np.int16)
