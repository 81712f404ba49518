"""What a reader found: visits to convert, and rows set aside with their reason."""

from typing import Any, NamedTuple

from cohortsmith.imaging.volume import Volume
from cohortsmith.records import Rejection


class Visit(NamedTuple):
    """One T1w scan of one person.

    key:            BIDS key sub-X_ses-Y
    participant_id: sub-X
    session_id:     ses-Y
    source:         path of the raw scan, not for logs
    diagnosis:      one of the study's labels, or n/a
    age:            years, NaN if unknown
    sex:            M, F, O or n/a
    mmse:           0 to 30, NaN if unknown
    site:           n/a if unknown
    series:         names the series in `source` if that holds DICOM files
    """

    key: str
    participant_id: str
    session_id: str
    source: str
    diagnosis: str
    age: float
    sex: str
    mmse: float
    site: str
    series: str = ""


class Inventory(NamedTuple):
    """Every row or scan of a source, once: as a visit or as a rejection."""

    visits: tuple[Visit, ...]
    rejections: tuple[Rejection, ...]


class Converted(NamedTuple):
    """A scan in canonical orientation, and what its sidecar may keep."""

    volume: Volume
    sidecar: dict[str, Any]
