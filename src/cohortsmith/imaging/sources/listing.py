"""Rows of a clinical table turned into visits or rejections, one each."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.bids import entities
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.clinical_table import (
    Person,
    UnusableValue,
    read_further,
    read_person,
    require_distinct_rows,
    row_key,
)
from cohortsmith.imaging.sources.identified_rows import UnidentifiedRow, split_rows
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.records import Rejection

STEP = "ingest"
Row = dict[str, str]


class Found(NamedTuple):
    """Where a row's raw scan lies; `series` names one of several DICOM series there.

    place: the same relative to the study's folder. folders, content: as in `Visit`.
    """

    source: str
    series: str = ""
    place: str = ""
    rule: str = "files.only_scan"
    reason: str = "the only scan of its visit"
    day: int | None = None
    folders: tuple[str, ...] = ()
    content: str = ""


def list_rows(
    rows: list[Row], study: StudyConfig, find: Callable[[Row], Found], delivered: Iterable[str] = ()
) -> Inventory:
    """Make one visit or one rejection of every row, and a rejection of every delivered scan that no row names.

    find: gives a row's raw scan, or raises `UnusableValue`. delivered: scans, relative to the study's folder.
    Rows that lead to one and the same scan are all set aside, and so is a row that names no participant.
    Raises `StudyError` if rows repeat a visit, participants would clash, or no row names one.
    """
    identified, unidentified = split_rows(rows, study.columns)
    require_distinct_rows(identified, study.columns)
    people = {row_key(row, study.columns): row for row in identified}
    found = {key: _found_or_rejection(key, row, find) for key, row in people.items()}
    nobody = [(row, _found_or_rejection("", row.values, find)) for row in unidentified]
    shared = Counter(one.place for one in (*found.values(), *(one for _, one in nobody)) if isinstance(one, Found))
    items = [_visit_or_rejection(key, one, people[key], study, shared) for key, one in found.items()]
    unnamed = sorted(set(delivered) - set(shared))
    refused = [_unidentified(row, one, shared) for row, one in nobody]
    inventory = collect([*items, *refused, *(_unnamed(place) for place in unnamed)])
    lost = ((item.candidate, people[item.key][study.columns.participant]) for item in items)
    named = ((candidate_name(place), place) for place in (*shared, *unnamed))
    return inventory._replace(places=tuple({**dict(lost), **dict(named)}.items()))


def _found_or_rejection(key: str, row: Row, find: Callable[[Row], Found]) -> Found | Rejection:
    try:
        return find(row)
    except UnusableValue as error:
        return rejection(key, error, row_candidate(key))


def _unidentified(row: UnidentifiedRow, found: Found | Rejection, shared: Counter[str]) -> Rejection:
    """Set aside the scan of a row that names nobody, or the row alone if another one leads to the scan, too."""
    if isinstance(found, Found) and shared[found.place] == 1:
        return rejection("", row.error, candidate_name(found.place))
    return rejection("", row.error, row.candidate)


def _visit_or_rejection(
    key: str, found: Found | Rejection, row: Row, study: StudyConfig, shared: Counter[str]
) -> Visit | Rejection:
    if isinstance(found, Rejection):
        return found
    if shared[found.place] > 1:
        several = UnusableValue("several rows of the table lead to this scan", "files.named_twice")
        return rejection(key, several, row_candidate(key))
    return visit_or_rejection(key, found, row, study)


def visit_or_rejection(key: str, found: Found, row: Row, study: StudyConfig) -> Visit | Rejection:
    """Make a visit of a scan and its row, or a rejection if the row holds a value that cannot be used."""
    try:
        return visit(key, found, read_person(row, study))._replace(further=read_further(row, study.columns))
    except UnusableValue as error:
        return rejection(key, error, candidate_name(found.place))


def visit(key: str, found: Found, person: Person) -> Visit:
    """Join a key, a raw scan and its person."""
    subject, session = entities(key)
    return Visit(
        key,
        f"sub-{subject}",
        f"ses-{session}",
        found.source,
        *person,
        series=found.series,
        candidate=candidate_name(found.place),
        rule=found.rule,
        reason=found.reason,
        day=found.day,
        folders=found.folders,
        content=found.content,
    )


def rejection(key: str, error: UnusableValue, candidate: str) -> Rejection:
    """Set a candidate aside for a value that cannot be used."""
    return Rejection(key, STEP, str(error), candidate, error.rule)


def row_candidate(key: str) -> str:
    """Name a row of the table that has no scan of its own."""
    return candidate_name(f"row {key}")


def _unnamed(place: str) -> Rejection:
    return Rejection("", STEP, "no row of the table leads to this scan", candidate_name(place), "files.not_in_table")


def collect(found: Iterable[Visit | Rejection], warnings: Iterable[str] = ()) -> Inventory:
    """Sort what was found into visits and rejections, by key."""
    items = sorted(found, key=lambda item: (item.key, item.candidate))
    return Inventory(
        tuple(item for item in items if isinstance(item, Visit)),
        tuple(item for item in items if isinstance(item, Rejection)),
        warnings=tuple(warnings),
    )
