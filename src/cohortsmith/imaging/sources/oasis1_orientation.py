"""Scans of OASIS-1 put the right way round: their headers do not say which way the head lies."""

from pathlib import Path

import nibabel as nib
import numpy as np

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.sources.inventory import Converted, Visit
from cohortsmith.imaging.volume import Volume, check_voxels, read_voxels

SHAPE = (256, 256, 160)
# Voxels run to the front, to the top and to the left, 1 mm apart (Marcus et al., J. Cogn. Neurosci. 2007; the offsets
# are those of Clinica's converter).
AFFINE = np.array([[0.0, 0, -1, 80], [1, 0, 0, -128], [0, 1, 0, -128], [0, 0, 0, 1]])


def convert(visit: Visit) -> Converted:
    """Read an Analyze pair of SUBJ_111 in canonical orientation, voxel values kept.

    Raises `ScanRejected` naming the visit's key for a pair that cannot be read or is not 256 x 256 x 160.
    """
    data = read_voxels(Path(visit.source), visit.key, "a whole Analyze pair (.hdr and .img)").data
    if data.shape != SHAPE:
        raise ScanRejected(
            "scan does not have the grid of OASIS-1",
            where=visit.key,
            got=" x ".join(map(str, data.shape)),
            expected=" x ".join(map(str, SHAPE)),
            remedy="unpack the archive again, and leave the images in PROCESSED/MPRAGE/SUBJ_111 as they are",
        )
    check_voxels(data, visit.key)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(data, AFFINE))
    voxels = np.ascontiguousarray(canonical.dataobj, dtype=np.float32)
    return Converted(Volume(voxels, np.array(canonical.affine, dtype=float)), {})
