"""Tables, values and folders of archives under all the names they have had."""

from pathlib import Path

import pandas as pd
import pytest

from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging.sources.archive_folders import list_stored_images
from cohortsmith.imaging.sources.archive_tables import list_table_files, read_archive_table
from cohortsmith.imaging.sources.archive_values import digits, parse_dates
from cohortsmith.imaging.sources.field_map import AdniMap, AiblMap, OasisMap, TableMap, read_field_map

TABLE = TableMap(
    files=("NEWNAME", "OLDNAME"),
    columns={"person": ("PTID", "Subject ID"), "kind": ("Orig/Proc",), "note": ("NOTE",)},
    required=("person",),
    lost="the notes",
)


def put(folder: Path, name: str, text: str = "PTID,Orig/Proc,NOTE\nA,B,C\n") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def people(folder: Path, table: TableMap = TABLE) -> tuple[list[str], tuple[str, ...]]:
    read = read_archive_table(list_table_files(folder, "never"), table)
    return read.frame["person"].tolist(), read.warnings


@pytest.mark.parametrize(
    "name", ["NEWNAME.csv", "newname.CSV", "deep/er/NEWNAME_3Jun2025.csv", "OLDNAME_15Feb2026 (1).csv", "OldName.tsv"]
)
def test_a_table_is_found_under_any_of_its_names(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert people(tmp_path) == (["A"], ())


@pytest.mark.parametrize(
    "name", ["MYNEWNAME.csv", "NEWNAME_DICT.csv", ".NEWNAME.csv", "__MACOSX/NEWNAME.csv", "NEWNAME.txt"]
)
def test_other_files_are_not_taken_for_it(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    found, warnings = people(tmp_path)
    assert found == [] and warnings == ("NEWNAME.csv or OLDNAME.csv is missing: without it the notes cannot be known.",)


def test_of_several_editions_the_newest_counts_and_a_warning_says_so(tmp_path: Path) -> None:
    put(tmp_path, "NEWNAME.csv", "PTID,Orig/Proc,NOTE\nundated,,\n")
    put(tmp_path, "NEWNAME_09Jan2026.csv", "PTID,Orig/Proc,NOTE\nnew,,\n")
    put(tmp_path, "NEWNAME_10Dec2025.csv", "PTID,Orig/Proc,NOTE\nold,,\n")
    found, warnings = people(tmp_path)
    assert found == ["new"]
    assert warnings == ("3 files are editions of one table: the newest, NEWNAME_09Jan2026.csv, is used.",)


def test_column_names_are_compared_without_case_spaces_and_punctuation(tmp_path: Path) -> None:
    put(tmp_path, "NEWNAME.csv", "subject_id,ORIG_PROC,Note\nA,B,C\n")
    read = read_archive_table(list_table_files(tmp_path, "never"), TABLE)
    assert read.frame.to_dict("records") == [{"person": "A", "kind": "B", "note": "C"}] and read.warnings == ()


def test_a_missing_column_is_a_warning_that_names_it(tmp_path: Path) -> None:
    put(tmp_path, "NEWNAME.csv", "PTID,NOTE\nA,C\n")
    found, warnings = people(tmp_path)
    assert found == ["A"] and warnings == ("NEWNAME.csv lacks Orig/Proc: they are taken as unknown.",)
    assert people(tmp_path, TABLE.model_copy(update={"spare": ("kind",)}))[1] == ()


@pytest.mark.parametrize("text", ["NOTE\nC\n", "", "PTID\n"])
def test_a_table_of_no_use_is_a_warning_and_no_error(tmp_path: Path, text: str) -> None:
    put(tmp_path, "NEWNAME.csv", text)
    found, warnings = people(tmp_path)
    assert found == [] and len(warnings) == 1 and "NEWNAME.csv" in warnings[0]


def test_a_spreadsheet_gives_way_to_a_text_table(tmp_path: Path) -> None:
    put(tmp_path, "NEWNAME.xlsx", "no spreadsheet")
    assert "NEWNAME.xlsx cannot be read" in people(tmp_path)[1][0]
    put(tmp_path, "NEWNAME.csv")
    assert people(tmp_path)[0] == ["A"]


def test_tables_found_by_their_columns_follow_each_other(tmp_path: Path) -> None:
    put(tmp_path, "my search.csv")
    put(tmp_path, "another.csv", '"Subject ID","Other"\n"Z","1"\n')
    put(tmp_path, "foreign.csv", "X,Y\n1,2\n")
    table = TABLE.model_copy(update={"files": (), "by_columns": True, "several": True, "spare": ("kind", "note")})
    assert people(tmp_path, table) == (["Z", "A"], ())


@pytest.mark.parametrize(
    "text", ["2006-01-09", "1/9/2006", "01/09/2006", "20060109", "20060109.0", "2006-01-09 10:11:12.0"]
)
def test_dates_are_read_in_every_form_the_archives_use(text: str) -> None:
    assert parse_dates(pd.Series([text])).tolist() == [pd.Timestamp(2006, 1, 9)]


@pytest.mark.parametrize("text", ["", "-4", "2006", "13/40/2006", "soon"])
def test_other_text_is_no_date(text: str) -> None:
    assert parse_dates(pd.Series([text])).isna().all()


def test_identifiers_lose_their_letter_and_zeros() -> None:
    assert digits(pd.Series(["I0123", "S45", "45.0", "x", ""])).tolist() == ["123", "45", "45", "", ""]


def test_images_are_found_in_merged_pieces_and_links_out_of_the_root_are_not_followed(tmp_path: Path) -> None:
    root, away = tmp_path / "root", tmp_path / "away"
    put(root, "part1/ADNI/941_S_0001/MPRAGE/2006-01-02_0/S7/x_S7_I70.nii", "")
    put(root, "part2/ADNI/941_S_0001/MPRAGE/2006-01-03_0/I71/x_1_S8_I71.dcm", "")
    put(root, "part2/ADNI/941_S_0001/MPRAGE/2006-01-04_0/S9/x_1_S9_I72.dcm", "")
    put(root, "part2/ADNI/941_S_0001/MPRAGE/2006-01-04_0/S9/x_1_S9_I73.dcm", "")
    put(away, "941_S_0002/MPRAGE/2006-01-03_0/I80/x_I80.nii", "")
    (root / "part3").symlink_to(away)
    (root / "part4").symlink_to(root / "part1")
    listing = list_stored_images(root, r"\d{3}_S_\d{4}")
    found = listing.frame[["image", "series", "date", "files"]].drop_duplicates().values.tolist()
    assert found == [
        ["70", "7", "2006-01-02", "*_I70.*"],
        ["71", "8", "2006-01-03", ""],
        ["72", "9", "2006-01-04", "*_I72.*"],
        ["73", "9", "2006-01-04", "*_I73.*"],
    ]
    assert listing.warnings == ("Symbolic links that lead out of the study's folder were not followed: 1.",)


def test_field_maps_are_whole_and_a_misspelt_key_is_named() -> None:
    assert len(read_field_map(AdniMap, "adni").exceptions) == 10
    assert read_field_map(AiblMap, "aibl").images.undated_exceptions == {"342": "m54", "557": "m54"}
    assert read_field_map(OasisMap, "oasis1").images.folder == "PROCESSED/MPRAGE/SUBJ_111"
    with pytest.raises(ConfigurationError, match="unknown configuration key 'fils'"):
        TableMap.read({**TABLE.model_dump(), "fils": []}, "field_maps/x.yml")
