"""A scan or result that lies on disk: its record in memory, its voxels only when asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from cohortsmith.imaging.volume import Volume


class Stored(NamedTuple):
    """One key's record and, if it has one, its volume; `path` is where a volume that is on disk lies.

    files: further files to be written beside the volume: what follows `<key>_` in the name -> content.
    """

    record: dict[str, Any]
    volume: Volume | None = None
    path: str = ""
    files: Mapping[str, bytes] = {}

    def load(self) -> Volume:
        """Read the voxels and their affine from disk."""
        image = nib.load(self.path)
        return Volume(np.asarray(image.dataobj, dtype=np.float32), image.affine)
