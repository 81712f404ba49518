"""Tables of an archive: found by any of their names, read under our own names for their columns."""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.free_text import plain_text
from cohortsmith.imaging.sources.candidates import is_plain_file
from cohortsmith.imaging.sources.clinical_table import require_folder
from cohortsmith.imaging.sources.delimited_text import read_frame
from cohortsmith.imaging.sources.field_map import TableMap

_SPREADSHEETS = {".xlsx", ".xls", ".ods"}
_SUFFIXES = {".csv", ".tsv", *_SPREADSHEETS}
_DATE = re.compile(r"_([0-9]{1,2})-?([a-z]{3})-?([0-9]{4})$")
# What a browser appends to the name of a second download.
_COPY = re.compile(r" ?\([0-9]+\)$")
_HEADER_BYTES = 1 << 16


class TableFile(NamedTuple):
    """One file: its name without suffix, date and copy number, in lower case, and its date."""

    path: Path
    name: str
    date: datetime


class Table(NamedTuple):
    """What was read: text under our names for the columns, empty where nothing is known; and what is missing."""

    frame: pd.DataFrame
    warnings: tuple[str, ...]


def tables_folder(study: StudyConfig, root: Path) -> Path:
    """Give the folder of an archive's tables: `study.table`, inside `study.path` or of its own; else `study.path`."""
    if not study.table:
        return root
    inside = root / study.table
    place = inside if inside.exists() else Path(study.table).expanduser()
    return place.parent if place.is_file() else require_folder(str(place), "study.table")


def list_table_files(folder: Path, skipped_folders: str) -> tuple[TableFile, ...]:
    """List the tables anywhere below a folder, in the order of their places.

    skipped_folders: regular expression of the names of folders that hold images.
    """
    found = [path for path in _walk(folder, re.compile(skipped_folders)) if path.suffix.lower() in _SUFFIXES]
    return tuple(_table_file(path) for path in sorted(found))


def _walk(folder: Path, skipped: re.Pattern[str]) -> Iterable[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not skipped.fullmatch(name) and not _is_hidden(name))
        yield from (path for name in files if not _is_hidden(name) and _is_plain(path := Path(place, name)))


def _is_plain(path: Path) -> bool:
    # A link may lead anywhere, and a pipe never ends.
    return is_plain_file(path) and not path.is_symlink() and os.access(path, os.R_OK)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _table_file(path: Path) -> TableFile:
    stem = _COPY.sub("", path.stem.lower())
    match = _DATE.search(stem)
    try:
        date = datetime.strptime("".join(match.groups()), "%d%b%Y") if match else datetime.min
    except ValueError:
        match, date = None, datetime.min
    return TableFile(path, stem[: match.start()] if match else stem, date)


def read_archive_table(files: Sequence[TableFile], table: TableMap) -> Table:
    """Read a table; without it, or without one of its required columns, the frame has no rows and a warning says so."""
    chosen, warnings = _choose(files, table)
    parts = [_read(file, table) for file in chosen]
    frames = [part.frame for part in parts if len(part.frame)] or [pd.DataFrame(columns=list(table.columns), dtype=str)]
    said = [*warnings, *(warning for part in parts for warning in part.warnings)]
    return Table(pd.concat(frames, ignore_index=True), tuple(said))


def _choose(files: Sequence[TableFile], table: TableMap) -> tuple[list[TableFile], list[str]]:
    if table.by_columns:
        return [file for file in files if _has_columns(file.path, table)], []
    groups = [group for name in table.files if (group := [file for file in files if _is_named(file, name)])]
    kept = groups if table.several else groups[:1]
    if not kept and not table.optional:
        return [], [f"{_names(table)} is missing: without it {table.lost} cannot be known."]
    newest = [max(group, key=_edition) for group in kept]
    return newest, [_say_several(file, len(group)) for file, group in zip(newest, kept, strict=True) if len(group) > 1]


def _edition(file: TableFile) -> tuple[datetime, bool, str]:
    return file.date, file.path.suffix.lower() not in _SPREADSHEETS, file.path.name


def _is_named(file: TableFile, name: str) -> bool:
    return fnmatchcase(file.name, name.lower())


def _names(table: TableMap) -> str:
    return " or ".join(f"{name}.csv" for name in table.files)


def _say_several(file: TableFile, count: int) -> str:
    return f"{count} files are editions of one table: the newest, {plain_text(file.path.name)}, is used."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _columns(names: Iterable[str], table: TableMap) -> dict[str, str]:
    """Find our columns among a file's: our name -> the file's name."""
    present = {_plain(name): name for name in reversed(list(names))}
    found = {
        ours: [present[_plain(name)] for name in theirs if _plain(name) in present]
        for ours, theirs in table.columns.items()
    }
    return {ours: theirs[0] for ours, theirs in found.items() if theirs}


def _has_columns(path: Path, table: TableMap) -> bool:
    if path.suffix.lower() in _SPREADSHEETS:
        return False
    with path.open("rb") as stream:
        header = stream.readline(_HEADER_BYTES).decode("utf-8", errors="replace").lstrip("\ufeff")
    present = _columns(re.split(r'["]?[,;\t]["]?', header.strip().strip('"')), table)
    return set(table.required) <= set(present)


def _read(file: TableFile, table: TableMap) -> Table:
    empty = pd.DataFrame(columns=list(table.columns), dtype=str)
    try:
        raw = read_frame(file.path)
    except StudyError as error:
        why = f"{error.got}; {error.remedy}"
        return Table(
            empty, (f"{plain_text(file.path.name)} cannot be read ({why}): without it {table.lost} is not known.",)
        )
    columns = _columns(raw.columns, table)
    lacking = [name for name in table.required if name not in columns]
    if lacking:
        return Table(
            empty, (f"{plain_text(file.path.name)} lacks {_say(lacking, table)}: {table.lost} cannot be known.",)
        )
    frame = pd.DataFrame({ours: raw[theirs] for ours, theirs in columns.items()}, dtype=str)
    absent = [name for name in table.columns if name not in columns and name not in table.spare]
    warnings = (
        (f"{plain_text(file.path.name)} lacks {_say(absent, table)}: they are taken as unknown.",) if absent else ()
    )
    return Table(frame.reindex(columns=list(table.columns), fill_value=""), warnings)


def _say(ours: Iterable[str], table: TableMap) -> str:
    return ", ".join("/".join(table.columns[name]) for name in ours)
