"""The study's own clinical table: its columns, rows and what each value means."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.bids import require_distinct_subjects, scan_key
from cohortsmith.imaging.free_text import is_formula, plain_text
from cohortsmith.imaging.sources.delimited_text import read_frame as read_frame  # noqa: PLC0414 - offered from here

_LONGEST = 100
_FEW = 10
_LARGEST = 1e12
_MISSING = {"", "n/a", "na", "nan", "none", "null", "."}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SEXES = {"m": "M", "male": "M", "1": "M", "f": "F", "female": "F", "2": "F", "o": "O", "other": "O"}


class UnusableValue(Exception):
    """A row's value that cannot be used: the message is the reason of its rejection, `rule` the rule's short name."""

    def __init__(self, reason: str, rule: str = "table.unusable_value") -> None:
        self.rule = rule
        super().__init__(reason)


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
    """Read a table as `read_frame` does, as one dictionary per row."""
    frame = read_frame(path, required)
    names = list(frame.columns)
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def required_columns(columns: Columns, *extra: str) -> tuple[str, ...]:
    """List the columns a table must have: those that are named in the configuration."""
    clinical = (columns.participant, columns.diagnosis, columns.age, columns.sex, columns.mmse, columns.site)
    return tuple(name for name in (*clinical, *columns.further, *extra) if name)


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
            got=", ".join(repeated[:_FEW]) + (f" and {len(repeated) - _FEW} others" if len(repeated) > _FEW else ""),
            expected="one row per participant and session",
            remedy="remove the double rows, or name the session column in study.columns.session",
        )


def read_person(row: dict[str, str], study: StudyConfig) -> Person:
    """Read a row's clinical values; raise `UnusableValue` with the reason."""
    columns = study.columns
    return Person(
        _known(row[columns.diagnosis], "diagnosis"),
        _number(row.get(columns.age, ""), "age", 0, 120),
        _sex(row.get(columns.sex, "")),
        _number(row.get(columns.mmse, ""), "MMSE", 0, 30),
        _known(row.get(columns.site, ""), "site"),
    )


def read_further(row: dict[str, str], columns: Columns) -> tuple[tuple[str, float], ...]:
    """Read the numbers that are carried along under their own names; raise `UnusableValue` for what is no number."""
    return tuple((name, _number(row.get(name, ""), name, -_LARGEST, _LARGEST)) for name in columns.further)


def _known(value: str, name: str) -> str:
    text = plain_text(value)
    if is_formula(text):
        raise UnusableValue(f"{name} begins with = + - or @, as formulas do", "table.formula")
    if len(text) > _LONGEST:
        raise UnusableValue(f"{name} is longer than {_LONGEST} characters")
    return "n/a" if text.lower() in _MISSING else text


def _number(value: str, name: str, low: float, high: float) -> float:
    if value.lower() in _MISSING:
        return math.nan
    number = parse_number(value)
    if not low <= number <= high:
        # The value stays out of the message: a birth date in the wrong column must not reach a log.
        raise UnusableValue(f"{name} is not a number from {low:g} to {high:g}")
    return number


def parse_number(text: str) -> float:
    """Read a number with a decimal point or a decimal comma; NaN for anything else."""
    plain = text.strip()
    if "." not in plain:
        plain = plain.replace(",", ".", 1)
    return float(plain) if _NUMBER.fullmatch(plain) else math.nan


def _sex(value: str) -> str:
    if value.lower() in _MISSING:
        return "n/a"
    # Statistics packages export 1 and 2 as 1.0 and 2.0.
    code = _SEXES.get(value.lower().removesuffix(".0"))
    if code is None:
        raise UnusableValue("sex is not one of M, F, male, female, 1 (male), 2 (female), O")
    return code
