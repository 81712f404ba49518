"""A volume and a clinical row as OASIS-1 delivers them: Analyze pairs that do not say which way the head lies.

Source: Marcus et al., 2007 (PROCESSED/MPRAGE/SUBJ_111: the average of a session's scans, 256 x 256 x 160, 1 mm).
"""

import io
from typing import NamedTuple

import nibabel as nib
import numpy as np

from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.phantom.delivery.files import Files, table_file, whole_numbers
from cohortsmith.imaging.volume import Volume

# The voxels run to the front, to the top and to the left; the header knows nothing of it.
GRID = Grid((256, 256, 160), np.array([[0.0, 0, -1, 80], [1, 0, 0, -128], [0, 1, 0, -128], [0, 0, 0, 1]]))
COLUMNS = ("ID", "M/F", "Hand", "Age", "Educ", "SES", "MMSE", "CDR", "eTIV", "nWBV", "ASF", "Delay")
TABLE = "oasis_cross-sectional.csv"


class OasisSession(NamedTuple):
    """One session: OAS1_dddd_MRd, age in years, M or F, CDR and MMSE empty if unknown; in the table or not."""

    identifier: str
    age: int = 75
    sex: str = "F"
    cdr: float | None = 0.0
    mmse: int | None = 29
    listed: bool = True


def session_files(session: OasisSession, volume: Volume) -> Files:
    """Give the Analyze pair of a session: the volume on the study's grid, in a header without orientation."""
    data = whole_numbers(resample(volume, np.eye(4), GRID).data)
    image = nib.AnalyzeImage(data[..., None], None, nib.AnalyzeHeader(endianness=">"))
    image.set_data_dtype(np.int16)
    image.header.set_zooms((1.0, 1.0, 1.0, 1.0))
    place = f"{session.identifier}/PROCESSED/MPRAGE/SUBJ_111/{session.identifier}_mpr_n4_anon_sbj_111"
    parts = {name: nib.FileHolder(fileobj=io.BytesIO()) for name in ("header", "image")}
    image.to_file_map(parts)
    return {
        f"{place}.hdr": parts["header"].fileobj.getvalue(),
        f"{place}.img": parts["image"].fileobj.getvalue(),
    }


def clinical_table(sessions: list[OasisSession]) -> Files:
    """Give the study's one table; rescans have neither CDR nor MMSE of their own."""
    rows = [
        {
            "ID": session.identifier,
            "M/F": session.sex,
            "Hand": "R",
            "Age": session.age,
            "MMSE": session.mmse,
            "CDR": session.cdr,
        }
        for session in sessions
        if session.listed
    ]
    return {TABLE: table_file(rows, COLUMNS)}
