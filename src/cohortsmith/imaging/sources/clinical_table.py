"""The study's own clinical table: its columns, rows and what each value means."""

import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.bids import ONLY_SESSION, alphanumeric, require_distinct_subjects, scan_key

_MISSING = {"", "n/a", "na", "nan", "none", "null", "."}
_SEXES = {"m": "M", "male": "M", "1": "M", "f": "F", "female": "F", "2": "F", "o": "O", "other": "O"}


class UnusableValue(Exception):
    """A row's value that cannot be used; the message is the reason of its rejection."""


class Person(NamedTuple):
    """Clinical values of a row, with the units of `Visit`."""

    diagnosis: str
    age: float
    sex: str
    mmse: float
    site: str


def require_file(path: str, configuration_key: str) -> Path:
    """Give an existing file, or raise `ConfigurationError` naming the key of the configuration."""
    return _require(path, configuration_key, is_folder=False)


def require_folder(path: str, configuration_key: str) -> Path:
    """Give an existing folder, or raise `ConfigurationError` naming the key of the configuration."""
    return _require(path, configuration_key, is_folder=True)


def require_table(table: str, folder: Path) -> Path:
    """Give the study's table: a name inside the study's folder, or a path of its own."""
    inside = folder / table
    return inside if table and inside.is_file() else require_file(table, "study.table")


def _require(path: str, configuration_key: str, *, is_folder: bool) -> Path:
    place = Path(path).expanduser()
    kind = "folder" if is_folder else "file"
    if not path or not (place.is_dir() if is_folder else place.is_file()):
        raise ConfigurationError(
            f"the study's {kind} does not exist",
            where=configuration_key,
            got=path or "nothing",
            expected=f"an existing {kind}",
            remedy=f"set {configuration_key} in conf/local/parameters.yml",
        )
    return place


def read_table(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV or TSV file as text, by its suffix; raise `StudyError` if it is no table or lacks a column."""
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        raise StudyError(
            "the study's table cannot be read",
            where=path.name,
            got=type(error).__name__,
            expected="UTF-8 text, comma-separated (.csv) or tab-separated (any other suffix)",
            remedy="export the table again",
        ) from None
    names = [str(name).strip() for name in table.columns]
    missing = [name for name in required if name not in names]
    if missing:
        raise StudyError(
            f"the study's table lacks {', '.join(missing)}",
            where=path.name,
            got=", ".join(names),
            expected=", ".join(required),
            remedy="name the table's own columns in study.columns; an empty name means the study has none",
        )
    return [dict(zip(names, (str(cell).strip() for cell in row), strict=True)) for row in table.to_numpy()]


def required_columns(columns: Columns, *extra: str) -> tuple[str, ...]:
    """List the columns a table must have: those that are named in the configuration."""
    clinical = (columns.participant, columns.diagnosis, columns.age, columns.sex, columns.mmse, columns.site)
    return tuple(name for name in (*clinical, *extra) if name)


def row_key(row: dict[str, str], columns: Columns) -> str:
    """Give a row's BIDS key."""
    return scan_key(row[columns.participant], row.get(columns.session, "") if columns.session else "")


def require_distinct_rows(rows: list[dict[str, str]], columns: Columns) -> None:
    """Raise `StudyError` naming visits that occur twice, or participants whose BIDS names would clash."""
    require_distinct_subjects(row[columns.participant] for row in rows)
    repeated = sorted(key for key, count in Counter(row_key(row, columns) for row in rows).items() if count > 1)
    if repeated:
        raise StudyError(
            "the study's table holds a visit twice",
            got=", ".join(repeated),
            expected="one row per participant and session",
            remedy="remove the double rows, or name the session column in study.columns.session",
        )


def read_person(row: dict[str, str], study: StudyConfig) -> Person:
    """Read a row's clinical values; raise `UnusableValue` with the reason."""
    columns = study.columns
    return Person(
        _diagnosis(row[columns.diagnosis], study.labels),
        _number(row.get(columns.age, ""), "age", 0, 120),
        _sex(row.get(columns.sex, "")),
        _number(row.get(columns.mmse, ""), "MMSE", 0, 30),
        row.get(columns.site, "") or "n/a",
    )


def _diagnosis(value: str, labels: tuple[str, str]) -> str:
    if value not in labels:
        raise UnusableValue(f"diagnosis {value or 'missing'!r} is not one of {', '.join(labels)}")
    return value


def _number(value: str, name: str, low: float, high: float) -> float:
    if value.lower() in _MISSING:
        return math.nan
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        # The value stays out of the message: a birth date in the wrong column must not reach a log.
        raise UnusableValue(f"{name} is not a number from {low:g} to {high:g}")
    return number


def _sex(value: str) -> str:
    if value.lower() in _MISSING:
        return "n/a"
    # Statistics packages export 1 and 2 as 1.0 and 2.0.
    code = _SEXES.get(value.lower().removesuffix(".0"))
    if code is None:
        raise UnusableValue(f"sex {value!r} is not one of M, F, male, female, 1 (male), 2 (female), O")
    return code


def row_session(row: dict[str, str], columns: Columns) -> str:
    """Give a row's session label."""
    return alphanumeric(row.get(columns.session, "")) or ONLY_SESSION
