"""What a reader found: every candidate scan once, to convert or set aside, and who was seen when."""

from typing import Any, NamedTuple

from cohortsmith.imaging.volume import Volume
from cohortsmith.records import Rejection


class Visit(NamedTuple):
    """One T1w scan of one person, chosen for conversion.

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
    candidate:      name of the delivered scan in the ledger, from which no person can be found
    rule:           short name of the rule that chose it, such as adni.n3
    reason:         that rule in words, where it chose among several
    day:            days since the subject's first known visit, None if unknown
    files:          pattern of the file names in the folder `source` that belong to the scan; empty for all
    orientation:    names a known fault of the header that has to be put right
    folders:        where in `source` the files lie, for a series spread over several folders; empty for `source` itself
    content:        hash of the scan's content where the reader knows it, else empty
    further:        numbers of study.columns.further by their names, NaN if unknown
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
    candidate: str = ""
    rule: str = ""
    reason: str = ""
    day: int | None = None
    files: str = ""
    orientation: str = ""
    folders: tuple[str, ...] = ()
    content: str = ""
    further: tuple[tuple[str, float], ...] = ()


class ClinicalVisit(NamedTuple):
    """One clinical visit of one person, scanned or not: what a stable diagnosis is judged on.

    month:               months since baseline, NaN if unknown
    diagnosis:           in the study's own words, CN, MCI or AD in ADNI and AIBL; n/a if unknown
    baseline_diagnosis:  the group at screening or baseline, SMC, EMCI and LMCI included; n/a if unknown
    """

    participant_id: str
    session_id: str
    month: float
    diagnosis: str
    baseline_diagnosis: str = "n/a"


class Inventory(NamedTuple):
    """Every candidate scan of a source, once: as a visit or as a rejection.

    clinical: every clinical visit that the source knows. warnings: what is missing from it, in whole sentences.
    places: (candidate, where it was delivered and under which identifier), for the pseudonym map alone.
    """

    visits: tuple[Visit, ...]
    rejections: tuple[Rejection, ...]
    clinical: tuple[ClinicalVisit, ...] = ()
    warnings: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()


class Converted(NamedTuple):
    """A scan in canonical orientation, and what its sidecar may keep."""

    volume: Volume
    sidecar: dict[str, Any]
