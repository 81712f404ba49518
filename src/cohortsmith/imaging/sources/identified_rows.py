"""Rows of a clinical table whose participant and session can be named, apart from those that cannot."""

from collections.abc import Sequence
from typing import NamedTuple

from cohortsmith.config.study import Columns
from cohortsmith.errors import StudyError
from cohortsmith.imaging.bids import scan_key
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.clinical_table import UnusableValue

RULE = "table.unusable_identifier"
_MISSING = "the participant's identifier is missing"
_FIRST = 2  # the number that a spreadsheet shows beside the first row below the header


class UnidentifiedRow(NamedTuple):
    """A row whose participant or session cannot be named.

    number: the header is row 1, rows without any value are not counted. fault: why, without what stands in the cell.
    """

    number: int
    values: dict[str, str]
    fault: str

    @property
    def error(self) -> UnusableValue:
        """Give the reason of its rejection."""
        place = f"row {self.number} of the study's table (its header is row 1, empty rows are not counted)"
        return UnusableValue(f"{place}: {self.fault}", RULE)

    @property
    def candidate(self) -> str:
        """Name it where no scan belongs to it."""
        return candidate_name(f"row number {self.number}")


class Rows(NamedTuple):
    """The rows of a table, in its order."""

    identified: list[dict[str, str]]
    unidentified: list[UnidentifiedRow]


def split_rows(rows: Sequence[dict[str, str]], columns: Columns) -> Rows:
    """Set the rows apart whose participant or session cannot be part of a file's name.

    Raises `StudyError` if that leaves none.
    """
    faults = [_fault(row[columns.participant], _session(row, columns)) for row in rows]
    identified = [row for row, fault in zip(rows, faults, strict=True) if not fault]
    if not identified:
        raise _none_identified(len(rows), next(iter(faults), ""))
    unidentified = [
        UnidentifiedRow(number, row, fault)
        for number, (row, fault) in enumerate(zip(rows, faults, strict=True), _FIRST)
        if fault
    ]
    return Rows(identified, unidentified)


def _fault(participant: str, session: str) -> str:
    # Other words for nothing, such as NA or nan, may be initials.
    return _MISSING if participant.lower() in ("", "n/a") else name_fault(participant, session)


def _session(row: dict[str, str], columns: Columns) -> str:
    return row.get(columns.session, "") if columns.session else ""


def name_fault(participant: str, session: str = "") -> str:
    """Say why two identifiers cannot be part of a file's name; empty if they can. What they are is not repeated."""
    try:
        scan_key(participant, session)
    except StudyError as error:
        return error.what
    return ""


def _none_identified(count: int, fault: str) -> StudyError:
    return StudyError(
        "no row of the study's table names a participant",
        where="study.table",
        got=f"{count} rows" + (f"; of the first: {fault}" if fault else ""),
        expected="an identifier of letters and digits, such as 0012, in the participant column",
        remedy="see whether study.columns.participant names the right column",
    )
