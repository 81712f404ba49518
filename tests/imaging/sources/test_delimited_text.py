"""Tables as people export them."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.clinical_table import read_frame, read_table

ROWS = [{"id": "007", "name": "Zoë"}, {"id": "8", "name": "x y"}]
PLAIN = "id,name\n007,Zoë\n8,x y\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encoding_and_separator_do_not_matter(tmp_path: Path, encoding: str, separator: str) -> None:
    (tmp_path / "a.csv").write_bytes(PLAIN.replace(",", separator).encode(encoding))
    assert read_table(tmp_path / "a.csv", ("id",)) == ROWS


@pytest.mark.parametrize(
    "text", [PLAIN.replace("\n", "\r\n"), PLAIN.replace("\n", "\r"), "id,name\r\n007,Zoë\r8,x y\n\n,\n"]
)
def test_line_ends_may_be_mixed_and_empty_lines_stand_between(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert read_table(tmp_path / "a.csv", ("id",)) == ROWS


def test_quoted_separators_and_decimal_commas_stay_in_their_cells(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id;age;note\n1;61,5;"a;b"\n')
    assert read_table(tmp_path / "a.csv", ()) == [{"id": "1", "age": "61,5", "note": "a;b"}]


def test_every_cell_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,c\n1.0,NA,\n")
    frame = read_frame(tmp_path / "a.csv", ("a", "b"))
    assert frame.to_dict("records") == [{"a": "1.0", "b": "NA", "c": ""}]
    assert all(pd.api.types.is_string_dtype(kind) for kind in frame.dtypes)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "nothing"),
        (b"\n \n", "nothing"),
        (b"a,b\n1,2,3\n", "line 2 with 3 cells under a header of 2"),
        (b"a,b\n1,2\n1\n", "line 3 with 1 cells under a header of 2"),
        (b"a,b\n1,\x002\n", "no text"),
        (b"a,a\n1,2\n", "occur more than once"),
        (b'a,b\n"1,2\n', "cells"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(tmp_path: Path, content: bytes, got: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(StudyError) as caught:
        read_frame(tmp_path / "a.csv")
    assert got in caught.value.got


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80))
def test_no_file_whatever_ends_in_a_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.csv").write_bytes(content)
    try:
        frame = read_frame(tmp_path / "any.csv")
    except StudyError:
        return
    assert all(isinstance(cell, str) for cell in frame.to_numpy().ravel())


def test_a_table_without_header_does_not_give_away_its_first_person(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("DOE^JANE,1954-03-02\nROE^JIM,1950-01-01\n")
    with pytest.raises(StudyError) as caught:
        read_frame(tmp_path / "a.csv", ("id", "age"))
    assert "DOE" not in str(caught.value) and "1954" not in str(caught.value)
