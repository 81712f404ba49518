"""Any BIDS dataset with T1w scans and a diagnosis column in participants.tsv."""

from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.bids import alphanumeric, scan_key
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_person,
    read_table,
    require_distinct_rows,
    require_folder,
    require_table,
    required_columns,
)
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.listing import STEP, Found, Row, collect, visit
from cohortsmith.records import Rejection


def read_inventory(study: StudyConfig) -> Inventory:
    """List every session with a T1w scan of every participant; sessions are optional.

    Clinical values come from participants.tsv (or `study.table`), overridden per session by the same columns of
    sub-X_sessions.tsv. Subjects without a row, and rows without a scan, are rejections.
    """
    root = require_folder(study.path, "study.path")
    rows = read_table(require_table(study.table or "participants.tsv", root), required_columns(study.columns))
    sessionless = study.columns.model_copy(update={"session": ""})
    require_distinct_rows(rows, sessionless)
    listed = {alphanumeric(row[study.columns.participant]) for row in rows}
    found = [item for row in rows for item in _of_participant(root, row, study)]
    return collect(found + [_unlisted(subject) for subject in _subjects(root) if subject not in listed])


def _subjects(root: Path) -> list[str]:
    return sorted(alphanumeric(folder.name) for folder in root.glob("sub-*") if folder.is_dir())


def _unlisted(subject: str) -> Rejection:
    return Rejection(scan_key(subject), STEP, "subject has no row in the participants table")


def _of_participant(root: Path, row: Row, study: StudyConfig) -> list[Visit | Rejection]:
    subject = alphanumeric(row[study.columns.participant])
    folder = root / f"sub-{subject}"
    places = [folder, *sorted(place for place in folder.glob("ses-*") if place.is_dir())]
    scans = {place: _choose(place) for place in places}
    present = {place: scan for place, scan in scans.items() if scan or place.name.startswith("ses-")}
    if not present:
        return [Rejection(scan_key(subject), STEP, "scan is missing: no T1w image in the subject's folder")]
    clinical = _sessions(folder / f"sub-{subject}_sessions.tsv")
    return [
        _of_session(subject, place, scan, row | clinical.get(_session(place), {}), study)
        for place, scan in present.items()
    ]


def _session(place: Path) -> str:
    return alphanumeric(place.name) if place.name.startswith("ses-") else ""


def _choose(place: Path) -> Path | None:
    """Take the first run of the plainest name: fewest entities, then alphabetical."""
    scans = sorted(place.glob("anat/*_T1w.nii*"), key=lambda path: (path.name.count("_"), path.name))
    return scans[0] if scans else None


def _sessions(path: Path) -> dict[str, Row]:
    if not path.is_file():
        return {}
    rows = read_table(path, ("session_id",))
    known = ({name: value for name, value in row.items() if value not in ("", "n/a")} for row in rows)
    return {alphanumeric(row["session_id"]): row for row in known if "session_id" in row}


def _of_session(subject: str, place: Path, scan: Path | None, row: Row, study: StudyConfig) -> Visit | Rejection:
    key = scan_key(subject, _session(place))
    if scan is None:
        return Rejection(key, STEP, "scan is missing: no T1w image in the session's folder")
    try:
        return visit(key, Found(str(scan)), read_person(row, study))
    except UnusableValue as error:
        return Rejection(key, STEP, str(error))
