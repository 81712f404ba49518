"""Tables as people export them: text in any of the usual encodings, separators and line ends, or an .xlsx workbook."""

import codecs
import csv
import io
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.spreadsheet import is_spreadsheet, read_cells

_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (",", ";", "\t")


def read_frame(path: Path, required: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table with every cell as text, stripped; cells without a value are empty.

    Encodings: UTF-8 with or without byte order mark, UTF-16, else Windows-1252 or Latin-1. The separator is the one
    that the header uses: comma, semicolon or tab. Lines without any value are passed over.
    Raises `StudyError` if the file is no table, has a column name twice, or lacks one of `required`.
    """
    cells = read_cells(path) if is_spreadsheet(path) else _parsed(path, _decoded(path))
    names = [name.strip() for name in cells.iloc[0]]
    frame = cells.iloc[1:].reset_index(drop=True).set_axis(names, axis=1)
    _require_columns(path, names, required)
    frame = frame.apply(lambda column: column.str.strip()) if len(frame) else frame
    return frame[(frame != "").any(axis=1)].reset_index(drop=True)


def _decoded(path: Path) -> str:
    content = _content(path)
    marked = [encoding for mark, encoding in _BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    for encoding in [*marked, "utf-8", "cp1252", "latin-1"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise _no_table(path, "bytes that are no text")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise _no_table(path, "bytes that are no text")  # pragma: no cover - Latin-1 decodes any byte


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise _no_table(path, "a file that cannot be opened") from None


def _parsed(path: Path, text: str) -> pd.DataFrame:
    separator = _separator(text)
    try:
        _require_equal_rows(path, text, separator)
        return pd.read_csv(io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False)
    except (csv.Error, ValueError, OverflowError):
        # Their messages may hold what stands in the cells.
        raise _no_table(path, "nothing" if not text.strip() else "quotation marks that are not closed") from None


def _require_equal_rows(path: Path, text: str, separator: str) -> None:
    rows, width = csv.reader(io.StringIO(text), delimiter=separator), 0
    for row in rows:
        width = width or len(row)
        if len(row) not in (0, width):
            raise _no_table(path, f"line {rows.line_num} with {len(row)} cells under a header of {width}")


def _separator(text: str) -> str:
    header = re.sub(r'"[^"]*"', "", text.lstrip("\n").split("\n", 1)[0])
    return max(_SEPARATORS, key=header.count)


def _require_columns(path: Path, names: list[str], required: tuple[str, ...]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise StudyError(
            "the study's table has columns of the same name",
            where=path.name,
            got=f"{len(repeated)} names that occur more than once",
            expected="every column name once",
            remedy="rename or remove the columns, and export the table again",
        )
    missing = [name for name in required if name not in names]
    if missing:
        # Without any known name the first line may be a person's data.
        known = len(missing) < len(required)
        raise StudyError(
            f"the study's table lacks {', '.join(missing)}",
            where=path.name,
            got=", ".join(names) if known else "none of the expected columns in its first line",
            expected=", ".join(required),
            remedy="name the table's own columns in study.columns; an empty name means the study has none",
        )


def _no_table(path: Path, got: str) -> StudyError:
    return StudyError(
        "the study's table cannot be read",
        where=path.name,
        got=got,
        expected="text with one line per row, cells separated by comma, semicolon or tab, and a header",
        remedy="export the table again",
    )
