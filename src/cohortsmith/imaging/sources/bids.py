"""Any BIDS dataset with T1w scans and a diagnosis column in participants.tsv."""

from collections.abc import Iterator
from pathlib import Path

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.bids import alphanumeric, require_distinct_subjects, scan_key
from cohortsmith.imaging.sources.candidates import (
    candidate_name,
    is_folder,
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


def read_inventory(study: StudyConfig) -> Inventory:
    """List every T1w scan of every participant; sessions are optional.

    Of several in a session the plainest name is taken: fewest entities, then alphabetical. Clinical values come from
    participants.tsv (or `study.table`), overridden per session by the same columns of sub-X_sessions.tsv. Subjects
    without a row, and rows and sessions without a scan, are rejections.
    """
    root = require_folder(study.path, "study.path")
    rows = read_table(require_table(study.table or "participants.tsv", root), required_columns(study.columns))
    sessionless = study.columns.model_copy(update={"session": ""})
    require_distinct_rows(rows, sessionless)
    people = {alphanumeric(row[study.columns.participant]): row for row in rows}
    folders = _folders(root)
    places = {subject: _places(folders.get(subject)) for subject in sorted({*people, *folders})}
    named = [(subject, place, _scans(place)) for subject, own in places.items() for place in own]
    found = [
        item for subject, place, scans in named for item in _of_place(root, place, scans, people.get(subject), study)
    ]
    empty = [subject for subject in people if not places[subject]]
    inventory = collect([*found, *(_without_scan(scan_key(subject)) for subject in empty)])
    delivered = (_place(root, scan) for *_, scans in named for scan in scans)
    return inventory._replace(places=tuple((candidate_name(place), place) for place in delivered))


def _folders(root: Path) -> dict[str, Path]:
    folders = [folder for folder in root.glob("sub-*") if is_folder(folder)]
    require_distinct_subjects(folder.name for folder in folders)
    return {alphanumeric(folder.name): folder for folder in folders}


def _places(folder: Path | None) -> list[Path]:
    """List the folders of a subject that are visits: its sessions, and itself if it holds a scan."""
    if folder is None:
        return []
    sessions = sorted(place for place in folder.glob("ses-*") if is_folder(place))
    return [*([folder] if _scans(folder) else []), *sessions]


def _scans(place: Path) -> list[Path]:
    """List T1w scans, the plainest name first."""
    return sorted(place.glob("anat/*_T1w.nii*"), key=lambda path: (path.name.count("_"), path.name))


def _session(place: Path) -> str:
    return alphanumeric(place.name) if place.name.startswith("ses-") else ""


def _key(subject: str, place: Path) -> str:
    return scan_key(subject, _session(place))


def _place(root: Path, scan: Path) -> str:
    return scan.relative_to(root).as_posix()


def _with_session(root: Path, row: Row, place: Path) -> Row:
    """Give the participant's row with the values of the session, where these are known."""
    if not _session(place):
        return row
    return row | _sessions(root, place.parent / f"{place.parent.name}_sessions.tsv").get(_session(place), {})


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


def _of_place(
    root: Path, place: Path, scans: list[Path], row: Row | None, study: StudyConfig
) -> Iterator[Visit | Rejection]:
    key = _key(alphanumeric(place.relative_to(root).parts[0]), place)
    if row is None:
        for scan in scans:
            reason = "subject has no row in the participants table"
            yield Rejection(key, STEP, reason, candidate_name(_place(root, scan)), "table.no_row")
        return
    if not scans:
        yield _without_scan(key)
        return
    yield _chosen(root, key, place, scans, row, study)
    for scan in scans[1:]:
        reason = "another run of the session has a plainer name"
        yield Rejection(key, STEP, reason, candidate_name(_place(root, scan)), "bids.other_run")


def _chosen(root: Path, key: str, folder: Path, scans: list[Path], row: Row, study: StudyConfig) -> Visit | Rejection:
    place = _place(root, scans[0])
    try:
        scan = require_inside(root, place)
        row = _with_session(root, row, folder)
    except UnusableValue as error:
        return rejection(key, error, candidate_name(place))
    found = Found(str(scan), place=place)
    if len(scans) > 1:
        found = found._replace(rule="bids.plainest_name", reason=f"the plainest name of {len(scans)} runs")
    return visit_or_rejection(key, found, row, study)


def _without_scan(key: str) -> Rejection:
    return Rejection(key, STEP, "scan is missing: no T1w image in the folder", row_candidate(key), "files.missing")
