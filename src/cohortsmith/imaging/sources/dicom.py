"""A folder or archive of DICOM files, with or without a table; nothing of a person's identity is carried on."""

import math
from collections import defaultdict
from functools import partial
from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.bids import scan_key
from cohortsmith.imaging.sources.clinical_table import (
    Person,
    UnusableValue,
    read_table,
    require_table,
    required_columns,
)
from cohortsmith.imaging.sources.dicom_headers import read_headers
from cohortsmith.imaging.sources.dicom_series import Series, choose_t1w, group_series
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.listing import STEP, Found, Row, collect, list_rows, visit
from cohortsmith.records import Rejection

_NO_T1W = "no T1-weighted series of at least 32 images without contrast agent"
_UNKNOWN = Person("n/a", math.nan, "n/a", math.nan, "n/a")


def read_inventory(study: StudyConfig) -> Inventory:
    """List visits of the DICOM folder or archive at `study.path`.

    With `study.table`: one visit per row, whose column `study.columns.file` holds the visit's folder (inside the
    source) or the patient's ID; the participant column holds the pseudonym. Studies that no row names are rejections.
    Without: one visit per DICOM study, patients numbered sub-0001, ... by date of their first study, diagnosis n/a.
    """
    source = _require_source(study.path)
    series = group_series(read_headers(source))
    if not series:
        raise StudyError(
            "no DICOM series found",
            where="study.path",
            got="no file with a SeriesInstanceUID",
            expected="a folder or .tar.* archive of DICOM files",
            remedy="point study.path at the exported series",
        )
    return _listed(source, series, study) if study.table else collect(_numbered(source, series))


def _require_source(path: str) -> Path:
    place = Path(path).expanduser()
    if not path or not place.exists():
        raise ConfigurationError(
            "the study's DICOM files do not exist",
            where="study.path",
            got=path or "nothing",
            expected="an existing folder, or a .tar, .tar.gz, .tar.bz2 or .tar.xz archive",
            remedy="set study.path in conf/local/parameters.yml",
        )
    return place


def _place(source: Path, series: Series) -> str:
    """Give the narrowest folder that holds a series, or the archive."""
    return str(source / series.folder if source.is_dir() else source)


def _by_study(series: list[Series]) -> dict[tuple[str, str], list[Series]]:
    groups: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for one in sorted(series, key=lambda one: (one.moment, one.study, one.number)):
        groups[one.patient, one.study].append(one)
    return groups


def _numbered(source: Path, series: list[Series]) -> list[Visit | Rejection]:
    studies = _by_study(series)
    patients = {patient: index for index, patient in enumerate(dict.fromkeys(patient for patient, _ in studies), 1)}
    found: list[Visit | Rejection] = []
    sessions: dict[str, int] = defaultdict(int)
    for (patient, _), group in studies.items():
        sessions[patient] += 1
        key = scan_key(f"{patients[patient]:04d}", f"{sessions[patient]:02d}")
        chosen = choose_t1w(group)
        found.append(_visit(key, source, chosen) if chosen else Rejection(key, STEP, _NO_T1W))
    return found


def _visit(key: str, source: Path, series: Series) -> Visit:
    return visit(key, Found(_place(source, series), series.digest), _UNKNOWN)


def _listed(source: Path, series: list[Series], study: StudyConfig) -> Inventory:
    if not study.columns.file:
        raise ConfigurationError(
            "a DICOM study with a table needs a column that leads to the files",
            where="study.columns.file",
            got="nothing",
            expected="the table's column with a visit's folder or patient ID",
            remedy="name it, or leave study.table empty",
        )
    rows = read_table(
        require_table(study.table, source), required_columns(study.columns, study.columns.session, study.columns.file)
    )
    inventory = list_rows(rows, study, partial(_find, source, series, study.columns.file))
    named = {one.study for row in rows for one in series if _matches(one, row[study.columns.file])}
    rest = [group for (_, identifier), group in _by_study(series).items() if identifier not in named]
    unlisted = (
        Rejection(scan_key(f"unlisted{number:03d}"), STEP, "DICOM study is not in the table")
        for number, _ in enumerate(rest, 1)
    )
    return collect([*inventory.visits, *inventory.rejections, *unlisted])


def _matches(series: Series, value: str) -> bool:
    folder = value.strip("/")
    return bool(value) and (series.patient == value or f"{series.folder}/".startswith(f"{folder}/"))


def _find(source: Path, series: list[Series], column: str, row: Row) -> Found:
    mine = [one for one in series if _matches(one, row[column])]
    if not mine:
        raise UnusableValue("scan is missing: no DICOM series in this folder or of this patient ID")
    if len({one.study for one in mine}) > 1:
        raise UnusableValue("several DICOM studies match; give the folder of one visit")
    chosen = choose_t1w(mine)
    if chosen is None:
        raise UnusableValue(_NO_T1W)
    return Found(_place(source, chosen), chosen.digest)
