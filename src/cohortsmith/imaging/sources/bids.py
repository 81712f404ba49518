"""Any BIDS dataset with T1w scans and a diagnosis column in participants.tsv."""

from collections.abc import Iterator
from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.bids import alphanumeric, scan_key
from cohortsmith.imaging.sources.bids_folders import VisitFolder, list_visit_folders
from cohortsmith.imaging.sources.candidates import (
    candidate_name,
    is_plain_file,
    require_inside,
    resolves_outside,
)
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_table,
    require_distinct_rows,
    require_folder,
    require_table,
    required_columns,
)
from cohortsmith.imaging.sources.identified_rows import split_rows
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.listing import (
    STEP,
    Found,
    Row,
    collect,
    rejection,
    row_candidate,
    visit_or_rejection,
)
from cohortsmith.records import Rejection

_NO_ROW = UnusableValue("subject has no row in the participants table", "table.no_row")


def read_inventory(study: StudyConfig) -> Inventory:
    """List every T1w scan of every participant; sessions are optional.

    Of several in a session the plainest name is taken: fewest entities, then alphabetical. Clinical values come from
    participants.tsv (or `study.table`), overridden per session by the same columns of sub-X_sessions.tsv. Subjects
    without a row, rows and sessions without a scan, and rows and folders that name nobody are rejections.
    """
    root = require_folder(study.path, "study.path")
    table = read_table(require_table(study.table or "participants.tsv", root), required_columns(study.columns))
    sessionless = study.columns.model_copy(update={"session": ""})
    rows, unidentified = split_rows(table, sessionless)
    require_distinct_rows(rows, sessionless)
    people = {alphanumeric(row[study.columns.participant]): row for row in rows}
    folders = list_visit_folders(root)
    found = [item for folder in folders for item in _of_folder(root, folder, people.get(folder.subject), study)]
    found += [rejection("", row.error, row.candidate) for row in unidentified]
    empty = sorted(set(people) - {folder.subject for folder in folders})
    inventory = collect([*found, *(_without_scan(scan_key(subject)) for subject in empty)])
    delivered = (_place(root, scan) for folder in folders for scan in folder.scans)
    return inventory._replace(places=tuple((candidate_name(place), place) for place in delivered))


def _place(root: Path, scan: Path) -> str:
    return scan.relative_to(root).as_posix()


def _with_session(root: Path, row: Row, folder: VisitFolder) -> Row:
    """Give the participant's row with the values of the session, where these are known."""
    if not folder.session:
        return row
    subject = folder.place.parent
    return row | _sessions(root, subject / f"{subject.name}_sessions.tsv").get(folder.session, {})


def _sessions(root: Path, path: Path) -> dict[str, Row]:
    """Read a subject's table of sessions; raise `UnusableValue` for one that is no table."""
    if not is_plain_file(path) or resolves_outside(root, path):
        return {}
    try:
        rows = read_table(path, ("session_id",))
    except StudyError as error:
        raise UnusableValue(f"the subject's table of sessions cannot be used: {error.got}", "table.unusable") from None
    known = ({name: value for name, value in row.items() if value not in ("", "n/a")} for row in rows)
    return {alphanumeric(row["session_id"]): row for row in known if "session_id" in row}


def _of_folder(root: Path, folder: VisitFolder, row: Row | None, study: StudyConfig) -> Iterator[Visit | Rejection]:
    fault = folder.fault or (_NO_ROW if row is None else None)
    key = "" if folder.fault else scan_key(folder.subject, folder.session)
    if fault or row is None:
        yield from (rejection(key, fault or _NO_ROW, candidate_name(_place(root, scan))) for scan in folder.scans)
        return
    if not folder.scans:
        yield _without_scan(key)
        return
    yield _chosen(root, key, folder, row, study)
    for scan in folder.scans[1:]:
        reason = "another run of the session has a plainer name"
        yield Rejection(key, STEP, reason, candidate_name(_place(root, scan)), "bids.other_run")


def _chosen(root: Path, key: str, folder: VisitFolder, row: Row, study: StudyConfig) -> Visit | Rejection:
    place = _place(root, folder.scans[0])
    try:
        scan = require_inside(root, place)
        row = _with_session(root, row, folder)
    except UnusableValue as error:
        return rejection(key, error, candidate_name(place))
    found = Found(str(scan), place=place)
    if len(folder.scans) > 1:
        found = found._replace(rule="bids.plainest_name", reason=f"the plainest name of {len(folder.scans)} runs")
    return visit_or_rejection(key, found, row, study)


def _without_scan(key: str) -> Rejection:
    return Rejection(key, STEP, "scan is missing: no T1w image in the folder", row_candidate(key), "files.missing")
