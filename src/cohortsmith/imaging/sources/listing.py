"""Rows of a clinical table turned into visits or rejections, one each."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.bids import entities
from cohortsmith.imaging.sources.clinical_table import (
    Person,
    UnusableValue,
    read_person,
    require_distinct_rows,
    row_key,
)
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.records import Rejection

STEP = "ingest"
Row = dict[str, str]


class Found(NamedTuple):
    """Where a row's raw scan lies; `series` names one of several DICOM series there."""

    source: str
    series: str = ""


def list_rows(rows: list[Row], study: StudyConfig, find: Callable[[Row], Found]) -> Inventory:
    """Make one visit or one rejection of every row.

    find: gives a row's raw scan, or raises `UnusableValue`.
    Raises `StudyError` if rows repeat a visit or participants would clash.
    """
    require_distinct_rows(rows, study.columns)
    return collect(_visit_or_rejection(row, study, find) for row in rows)


def _visit_or_rejection(row: Row, study: StudyConfig, find: Callable[[Row], Found]) -> Visit | Rejection:
    key = row_key(row, study.columns)
    try:
        return visit(key, find(row), read_person(row, study))
    except UnusableValue as error:
        return Rejection(key, STEP, str(error))


def visit(key: str, found: Found, person: Person) -> Visit:
    """Join a key, a raw scan and its person."""
    subject, session = entities(key)
    return Visit(key, f"sub-{subject}", f"ses-{session}", found.source, *person, found.series)


def collect(found: Iterable[Visit | Rejection]) -> Inventory:
    """Sort what was found into visits and rejections, by key."""
    items = sorted(found, key=lambda item: item.key)
    return Inventory(
        tuple(item for item in items if isinstance(item, Visit)),
        tuple(item for item in items if isinstance(item, Rejection)),
    )
