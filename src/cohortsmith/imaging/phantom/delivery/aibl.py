"""Volumes and clinical rows as AIBL delivers them: DICOM series by number and sequence, tables with -4 for unknown."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.phantom.delivery.files import Files, table_file
from cohortsmith.imaging.volume import Volume

UNKNOWN = -4
CONFIRMED = "MPRAGE_ADNI_confirmed"
SECOND_PASS = "MPRAGE_SAG_ISO_p2_ND"
ISSUED = "01Jun2018"


class Image(NamedTuple):
    """One image folder: the archive's number, the sequence, the day of the scan."""

    image: int
    scanned: date
    sequence: str = CONFIRMED
    field_strength: float = 3.0


class Examination(NamedTuple):
    """One visit of the tables.

    day: of the scan's own row, as the table writes it; empty without such a row. code: bl, m18, ...
    field_strength: which of the two tables of scans names it, tesla. diagnosis: 1 CN, 2 MCI, 3 AD, -4 unknown.
    """

    code: str
    day: str
    diagnosis: int = 1
    mmse: int = 29
    field_strength: float = 3.0


class Subject(NamedTuple):
    """One person: birth year, sex 1 (M) or 2 (F), site; -4 where unknown."""

    rid: str
    examinations: tuple[Examination, ...]
    images: tuple[Image, ...]
    born: int = 1936
    sex: int = 2
    site: int = 1


def image_files(subject: Subject, image: Image, volume: Volume) -> Files:
    """Give the DICOM files of one image folder."""
    moment = datetime.combine(image.scanned, datetime.min.time()).replace(hour=9)
    header = Series(subject.rid, moment, image.image, image.sequence, field_strength=image.field_strength)
    folder = f"AIBL/{subject.rid}/{image.sequence}/{image.scanned:%Y-%m-%d}_09_00_00.0/I{image.image}"
    stem = f"AIBL_{subject.rid}_MR_{image.sequence}_br_raw_{image.scanned:%Y%m%d}"
    return {
        f"{folder}/{stem}_{number}_S{image.image}_I{image.image}.dcm": content
        for number, content in enumerate(series_files(header, volume), 1)
    }


def tables(subjects: Sequence[Subject]) -> Files:
    """Give the clinical tables and the two tables of scans, 1.5 T and 3 T."""
    visits = [(subject, visit) for subject in subjects for visit in subject.examinations]
    scans = ("RID", "VISCODE", "EXAMDATE")
    contents = {
        "mrimeta": table_file(_scans(visits, 1.5), scans),
        "mri3meta": table_file(_scans(visits, 3.0), scans),
        "ptdemog": table_file([_person(subject) for subject in subjects], ("RID", "SITEID", "PTDOB", "PTGENDER")),
        "pdxconv": _values(visits, "DXCURREN", lambda visit: visit.diagnosis),
        "cdr": _values(visits, "CDGLOBAL", lambda visit: {1: 0.0, 2: 0.5, 3: 1.0}.get(visit.diagnosis, UNKNOWN)),
        "mmse": _values(visits, "MMSCORE", lambda visit: visit.mmse),
        "neurobat": table_file([_row(subject, visit) for subject, visit in visits], scans),
        "apoeres": table_file(
            [{"RID": subject.rid, "APGEN1": 3, "APGEN2": 3} for subject in subjects], ("RID", "APGEN1", "APGEN2")
        ),
    }
    return {f"tables/aibl_{name}_{ISSUED}.csv": content for name, content in contents.items()}


Visits = list[tuple[Subject, Examination]]


def _row(subject: Subject, visit: Examination) -> dict[str, object]:
    return {"RID": subject.rid, "SITEID": subject.site, "VISCODE": visit.code, "EXAMDATE": visit.day or UNKNOWN}


def _scans(visits: Visits, field_strength: float) -> list[dict[str, object]]:
    return [_row(subject, visit) for subject, visit in visits if visit.day and visit.field_strength == field_strength]


def _person(subject: Subject) -> dict[str, object]:
    born = UNKNOWN if subject.born == UNKNOWN else f"/{subject.born}"
    return {"RID": subject.rid, "SITEID": subject.site, "PTDOB": born, "PTGENDER": subject.sex}


def _values(visits: Visits, column: str, value: Callable[[Examination], float]) -> bytes:
    rows = [{**_row(subject, visit), column: value(visit)} for subject, visit in visits]
    return table_file(rows, ("RID", "SITEID", "VISCODE", "EXAMDATE", column))
