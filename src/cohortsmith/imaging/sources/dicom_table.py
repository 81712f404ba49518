"""A table of labels for DICOM files: which row belongs to which DICOM study.

The column `study.columns.file` holds a folder inside the source, or the patient's ID; the participant column holds the
pseudonym. Where several studies match, the session column tells them apart, as a folder's name or as the date of the
study (20200131, 2020-01-31 or 31.01.2020), which then has to agree. Dates are replaced by numbers 01, 02, ... for each
participant.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging.sources.clinical_table import (
    read_table,
    require_distinct_rows,
    require_table,
    required_columns,
    row_key,
)
from cohortsmith.imaging.sources.dicom_series import Series, day_of
from cohortsmith.imaging.sources.identified_rows import UnidentifiedRow, split_rows

_DATES = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y")
Group = tuple[str, str]


class Row(NamedTuple):
    """One row of the table. groups: the (patient, study) that match it. values: its cells, sessions numbered.

    unidentified: the row as it is, without a key, where it names no participant.
    """

    key: str
    participant: str
    values: dict[str, str]
    groups: tuple[Group, ...]
    unidentified: UnidentifiedRow | None = None


def match_rows(source: Path, groups: Mapping[Group, Sequence[Series]], study: StudyConfig) -> list[Row]:
    """Read the table and match each row with the studies it may mean.

    Raises `ConfigurationError` without a column that leads to the files, `StudyError` if rows repeat a visit.
    """
    columns = study.columns
    if not columns.file:
        raise ConfigurationError(
            "a DICOM study with a table needs a column that leads to the files",
            where="study.columns.file",
            got="nothing",
            expected="the table's column with a visit's folder or patient ID",
            remedy="name it, or leave study.table empty",
        )
    table = read_table(require_table(study.table, source), required_columns(columns, columns.session, columns.file))
    rows, unidentified = split_rows(table, columns)
    sessions = [row.get(columns.session, "") if columns.session else "" for row in rows]
    numbered = _number_dates([row[columns.participant] for row in rows], sessions)
    named = {columns.session} - {""}
    plain = [row | dict.fromkeys(named, label) for row, label in zip(rows, numbered, strict=True)]
    require_distinct_rows(plain, columns)
    index = _index(groups)
    named_rows = [
        Row(row_key(row, columns), row[columns.participant], row, _matching(row[columns.file], session, groups, index))
        for row, session in zip(plain, sessions, strict=True)
    ]
    nobody = [
        Row(
            "",
            "",
            row.values,
            _matching(row.values[columns.file], row.values.get(columns.session, ""), groups, index),
            row,
        )
        for row in unidentified
    ]
    return [*named_rows, *nobody]


def read_date(text: str) -> date | None:
    """Read a date in one of the unambiguous spellings; None for anything else."""
    for spelling in _DATES:
        try:
            return datetime.strptime(text.strip(), spelling).date()
        except ValueError:
            continue
    return None


def _number_dates(participants: Sequence[str], sessions: Sequence[str]) -> list[str]:
    """Replace sessions that are dates by their rank among the participant's."""
    days = [read_date(session) for session in sessions]
    own: dict[str, set[date]] = defaultdict(set)
    for participant, day in zip(participants, days, strict=True):
        own[participant] |= {day} if day else set()
    return [
        f"{sorted(own[participant]).index(day) + 1:02d}" if day else session
        for participant, session, day in zip(participants, sessions, days, strict=True)
    ]


def _index(groups: Mapping[Group, Sequence[Series]]) -> dict[str, set[Group]]:
    """List the studies by patient ID and by every folder that holds files of theirs, whatever its depth."""
    index: dict[str, set[Group]] = defaultdict(set)
    for group, series in groups.items():
        index[group[0]].add(group)
        for folder in {folder for one in series for folder in one.folders}:
            for place in (folder, *(parent.as_posix() for parent in PurePosixPath(folder).parents)):
                index[place].add(group)
    return index


def _matching(
    value: str, session: str, groups: Mapping[Group, Sequence[Series]], index: Mapping[str, set[Group]]
) -> tuple[Group, ...]:
    mine = sorted(index.get(value, set()) | index.get(value.strip("/"), set())) if value.strip("/") else []
    day = read_date(session)
    if day is not None:
        return tuple(group for group in mine if day_of(groups[group][0]) == day)
    narrowed = [group for group in mine if _is_in(groups[group], session)] if session else []
    return tuple(narrowed or mine)


def _is_in(series: Sequence[Series], folder: str) -> bool:
    return any(folder in PurePosixPath(place).parts for one in series for place in one.folders)
