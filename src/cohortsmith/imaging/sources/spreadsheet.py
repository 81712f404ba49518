"""The first sheet of an .xlsx file as text, within bounds: spreadsheets are archives of XML, and both can be bombs."""

import math
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

import openpyxl
import pandas as pd

from cohortsmith.errors import StudyError

_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
# A table of 16 000 visits and 120 columns, such as ADNI's largest, has half of these.
_MOST_BYTES = 200_000_000  # unpacked
_MOST_ELEMENTS = 8_000_000
_MOST_CELLS = 4_000_000
_MOST_MEMBERS = 10_000
_MOST_AT_ONCE = 500_000  # elements between two rows, which are held in memory together
_CHUNK = 1 << 16
_EXPECTED = "an .xlsx workbook whose first sheet holds a header and rows, or text in .csv or .tsv"
_REMEDY = "open the table and export it as CSV"


class _Refused(Exception):
    """A part of a workbook is beyond all bounds, or asks for more than to be read; the message says what it is."""


def is_spreadsheet(path: Path) -> bool:
    """Say whether a file is a workbook of any kind: by its content, for much that is called .xls is text."""
    return path.suffix.lower() == ".xlsx" or _beginning(path) in (_ZIP, _OLD_EXCEL)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4)
    except OSError:
        return b""


def read_cells(path: Path) -> pd.DataFrame:
    """Read the first sheet with every cell as text, stripped; formulas as the value that was stored with them.

    Rows without any value are left out. Nothing that the workbook refers to is opened.
    Raises `StudyError` for anything but an .xlsx workbook, and for one that is damaged or beyond all bounds.
    """
    if _beginning(path) != _ZIP:
        raise _refused(path, "an old Excel file" if _beginning(path) == _OLD_EXCEL else "no .xlsx file")
    try:
        _require_bounded(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that do not matter here
            rows = _padded(list(_rows(path)))
    except _Refused as error:
        raise _refused(path, str(error)) from None
    except (BadZipFile, KeyError):
        raise _refused(path, "no .xlsx file, or a damaged one") from None
    except Exception as error:  # openpyxl raises errors of every kind on XML that is no workbook
        raise _refused(path, f"a workbook that cannot be read ({type(error).__name__})") from None
    if not rows:
        raise _refused(path, "an empty first sheet")
    return pd.DataFrame(rows, dtype=str)


def _require_bounded(path: Path) -> None:
    with ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.filename == "mimetype" for member in members):
            raise _Refused("an OpenDocument file")
        # A member is never unpacked beyond the size that it states.
        if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _MOST_BYTES:
            raise _Refused(f"more than {_MOST_BYTES // 10**6} MB when unpacked")
        for member in members:
            with archive.open(member) as content:
                _require_plain_xml(content)


def _require_plain_xml(content: IO[bytes]) -> None:
    """Raise `_Refused` for a document type, with which entities come, and for too many elements."""
    parser, count, since_row = expat.ParserCreate(), 0, 0

    def declared(*_: Any) -> None:
        raise _Refused("XML with a document type declaration")

    def began(name: str, _: Any) -> None:
        nonlocal count, since_row
        count, since_row = count + 1, 0 if name.endswith(("row", "si")) else since_row + 1
        if count > _MOST_ELEMENTS or since_row > _MOST_AT_ONCE:
            raise _Refused("more cells than any table has")

    parser.StartDoctypeDeclHandler, parser.StartElementHandler = declared, began
    try:
        while chunk := content.read(_CHUNK):
            parser.Parse(chunk, False)
    except expat.ExpatError:
        return  # a picture or the like


def _rows(path: Path) -> Iterator[list[str]]:
    # By its name openpyxl would judge whether it likes the file.
    with path.open("rb") as stream:
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        sheet, cells = workbook.worksheets[0], 0
        sheet.reset_dimensions()  # they are what the file says, and it may say anything
        for row in sheet.iter_rows(values_only=True):
            cells += 1 + len(row)
            if cells > _MOST_CELLS:
                raise _Refused("more cells than any table has")
            texts = [_text(value) for value in row]
            if any(texts):
                yield texts


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        whole = math.isfinite(value) and value == int(value)
        return str(int(value)) if whole else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return (value.isoformat() if isinstance(value, date) else str(value)).strip()


def _padded(rows: list[list[str]]) -> list[list[str]]:
    """Cut what is empty on the right of the whole sheet, and make the rows alike."""
    width = max((number for row in rows for number, cell in enumerate(row, 1) if cell), default=0)
    if width * len(rows) > _MOST_CELLS:
        raise _Refused("more cells than any table has")
    return [row[:width] + [""] * (width - len(row)) for row in rows]


def _refused(path: Path, got: str) -> StudyError:
    return StudyError("the study's table cannot be read", where=path.name, got=got, expected=_EXPECTED, remedy=_REMEDY)
