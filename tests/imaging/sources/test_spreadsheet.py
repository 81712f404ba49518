"""Clinical tables as spreadsheets: read as text tables are, or refused with what to do; never obeyed, never a bomb."""

import resource
import time
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources import spreadsheet
from cohortsmith.imaging.sources.delimited_text import read_frame

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = "xl/worksheets/sheet1.xml"
MEMORY = 1_500_000_000


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["QZOTHER"])
    book.save(path)
    return path


def rewritten(path: Path, **parts: str) -> Path:
    """Replace or add parts of a workbook: name without its folder and suffix -> content."""
    names = {"sheet": SHEET, "strings": "xl/sharedStrings.xml", "link": "xl/externalLinks/externalLink1.xml"}
    with ZipFile(workbook(path.with_name("plain.xlsx"), ["id"], ["A"])) as plain:
        members = {name: plain.read(name) for name in plain.namelist()}
    members |= {names[part]: content.encode() for part, content in parts.items()}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def sheet(rows: str, before: str = "") -> str:
    return f'<?xml version="1.0"?>{before}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>'


def test_a_workbook_is_read_as_its_text_would_be(tmp_path: Path) -> None:
    rows = [["id", "age", "seen", "note"], [7, 61.5, datetime(2020, 1, 31), " x "], [], ["A-1", 70.0, None, True]]
    frame = read_frame(workbook(tmp_path / "t.xlsx", *rows), ("id", "age"))
    assert frame.to_dict("records") == [
        {"id": "7", "age": "61.5", "seen": "2020-01-31", "note": "x"},
        {"id": "A-1", "age": "70", "seen": "", "note": "True"},
    ]


def test_the_content_says_what_a_file_is_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "t.xls").write_text("id\tage\nA\t60\n")
    workbook(tmp_path / "t.xlsx", ["id", "age"], ["A", 60]).rename(tmp_path / "t.csv")
    assert read_frame(tmp_path / "t.xls").equals(read_frame(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old Excel file"),
        (b"PK\x03\x04", "no .xlsx file, or a damaged one"),
        (b"", "no .xlsx file"),
        (b"id,age\nA,60\n", "no .xlsx file"),
    ],
)
def test_what_is_no_workbook_is_refused_with_what_to_do(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(StudyError, match=r"(?s)export it as CSV") as caught:
        read_frame(tmp_path / "t.xlsx")
    assert caught.value.got == got and caught.value.where == "t.xlsx" and ".csv or .tsv" in caught.value.expected


def test_a_table_of_opendocument_is_refused_by_name(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(StudyError, match="an OpenDocument file"):
        read_frame(tmp_path / "t.ods")


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    content = workbook(tmp_path / "t.xlsx", ["id"], ["A"]).read_bytes()
    for length in range(4, len(content), 400):
        (tmp_path / "t.xlsx").write_bytes(content[:length])
        with pytest.raises(StudyError):
            read_frame(tmp_path / "t.xlsx")


def test_an_empty_sheet_and_a_missing_column_are_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="an empty first sheet"):
        read_frame(workbook(tmp_path / "t.xlsx"))
    with pytest.raises(StudyError, match="lacks age"):
        read_frame(workbook(tmp_path / "t.xlsx", ["id"], ["A"]), ("id", "age"))


def test_of_a_formula_the_stored_value_is_read_and_nothing_is_computed(tmp_path: Path) -> None:
    cells = '<c r="A2"><f>1+1</f><v>5</v></c><c r="B2"><f>[1]x!A1</f></c><c r="C2" t="e"><v>#REF!</v></c>'
    head = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in "abc")
    path = rewritten(tmp_path / "t.xlsx", sheet=sheet(f"<row>{head}</row><row>{cells}</row>"))
    assert read_frame(path).to_dict("records") == [{"a": "5", "b": "", "c": "#REF!"}]


@pytest.mark.parametrize("part", ["sheet", "strings"])
@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">',
    ],
)
def test_entities_are_refused_before_they_are_read(tmp_path: Path, part: str, declared: str) -> None:
    text = sheet('<row><c t="inlineStr"><is><t>&a;</t></is></c></row>', declared)
    with pytest.raises(StudyError, match="a document type declaration") as caught:
        read_frame(rewritten(tmp_path / "t.xlsx", **{part: text}))
    assert "root:" not in str(caught.value)


def test_a_document_type_in_another_encoding_does_not_hide(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "t.xlsx")
    with ZipFile(path, "a") as archive:
        archive.writestr("xl/more.xml", '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x []><x/>'.encode("utf-16"))
    with pytest.raises(StudyError, match="a document type declaration"):
        read_frame(path)


BOMBS = {
    "far_away": sheet(
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'
    ),
    "wide": sheet("".join(f'<row r="{number}"><c r="XFD{number}"><v>1</v></c></row>' for number in range(1, 400))),
    "one_row": sheet(f"<row>{'<c/>' * 2_000_000}</row>"),
    "cells": sheet("<row><c/></row>" * 5_000_000),
    "bytes": sheet("<row/>" + " " * 201_000_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_time_and_memory(tmp_path: Path, bomb: str) -> None:
    path = rewritten(tmp_path / "t.xlsx", sheet=BOMBS[bomb])
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(StudyError, match=r"more cells than any table has|MB when unpacked"):
        read_frame(path)
    assert time.process_time() - began < 30
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < MEMORY
    assert path.stat().st_size < 2_000_000


def test_a_column_beyond_the_last_and_a_wrong_dimension_do_not_matter(tmp_path: Path) -> None:
    with pytest.raises(StudyError):
        read_frame(rewritten(tmp_path / "t.xlsx", sheet=sheet('<row><c r="ZZZZZZZ1"><v>1</v></c></row>')))
    cells = sheet('<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row>')
    for claimed in ("A1:XFD1048576", "A1:A1"):
        lying = cells.replace("<sheetData>", f'<dimension ref="{claimed}"/><sheetData>')
        assert list(read_frame(rewritten(tmp_path / "t.xlsx", sheet=lying)).columns) == ["1", "2"]


def test_what_the_error_of_the_library_says_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("QZNAME")

    monkeypatch.setattr(spreadsheet.openpyxl, "load_workbook", fail)
    with pytest.raises(StudyError, match="RuntimeError") as caught:
        read_frame(workbook(tmp_path / "t.xlsx", ["id"]))
    assert "QZNAME" not in str(caught.value)
