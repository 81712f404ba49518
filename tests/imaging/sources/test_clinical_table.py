import math
from pathlib import Path

import pytest

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_person,
    read_table,
    require_distinct_rows,
    require_folder,
    require_table,
)

STUDY = StudyConfig(name="test", source="nifti", labels=("control", "depr"), columns=Columns(mmse="mmse", site="site"))
ROW = {
    "participant_id": "1",
    "session_id": "",
    "diagnosis": "depr",
    "age": "61.5",
    "sex": "f",
    "mmse": "28",
    "site": "A",
}


def test_a_row_becomes_a_person() -> None:
    assert read_person(ROW, STUDY) == ("depr", 61.5, "F", 28.0, "A")


@pytest.mark.parametrize(
    ("written", "sex"),
    [
        ("m", "M"),
        ("F", "F"),
        ("male", "M"),
        ("Female", "F"),
        ("1", "M"),
        ("2", "F"),
        ("2.0", "F"),
        ("n/a", "n/a"),
        ("", "n/a"),
    ],
)
def test_sexes_are_normalised(written: str, sex: str) -> None:
    assert read_person(ROW | {"sex": written}, STUDY).sex == sex


def test_missing_numbers_are_not_invented() -> None:
    person = read_person(ROW | {"age": "n/a", "mmse": "", "site": ""}, STUDY)
    assert math.isnan(person.age) and math.isnan(person.mmse) and person.site == "n/a"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("age", "sixty", "age is not a number from 0 to 120"),
        ("age", "-1", "age is not a number from 0 to 120"),
        ("age", "1954", "age is not a number from 0 to 120"),
        ("age", "inf", "age is not a number from 0 to 120"),
        ("mmse", "31", "MMSE is not a number from 0 to 30"),
        ("age", "1_0", "age is not a number from 0 to 120"),
        ("sex", "0", "sex is not one of"),
    ],
)
def test_a_value_that_cannot_be_used_gives_its_reason(column: str, value: str, reason: str) -> None:
    with pytest.raises(UnusableValue, match=reason):
        read_person(ROW | {column: value}, STUDY)


@pytest.mark.parametrize(("written", "age"), [("61,5", 61.5), (" 7e1 ", 70.0), ("+61.", 61.0), ("61", 61.0)])
def test_decimal_commas_are_understood(written: str, age: float) -> None:
    assert read_person(ROW | {"age": written}, STUDY).age == age


@pytest.mark.parametrize(("written", "diagnosis"), [("MCI", "MCI"), ("", "n/a"), ("N/A", "n/a")])
def test_a_diagnosis_is_kept_in_the_studys_words(written: str, diagnosis: str) -> None:
    assert read_person(ROW | {"diagnosis": written}, STUDY).diagnosis == diagnosis


def test_what_stands_in_the_sex_column_is_not_repeated() -> None:
    with pytest.raises(UnusableValue) as caught:
        read_person(ROW | {"sex": "DOE JANE"}, STUDY)
    assert "DOE" not in str(caught.value)


def test_a_birth_date_in_the_age_column_is_not_repeated() -> None:
    with pytest.raises(UnusableValue) as caught:
        read_person(ROW | {"age": "1954-03-02"}, STUDY)
    assert "1954" not in str(caught.value)


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t")])
def test_the_suffix_decides_the_separator(tmp_path: Path, name: str, separator: str) -> None:
    (tmp_path / name).write_text(f"\ufeffid{separator}age\n 007 {separator}60\n", encoding="utf-8")
    assert read_table(tmp_path / name, ("id", "age")) == [{"id": "007", "age": "60"}]


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("id\tgroup\n1\tx\n")
    with pytest.raises(StudyError) as caught:
        read_table(tmp_path / "a.tsv", ("id", "diagnosis", "age"))
    error = caught.value
    assert "lacks diagnosis, age" in error.what and error.got == "id, group" and "study.columns" in error.remedy


def test_a_visit_that_occurs_twice_is_named() -> None:
    with pytest.raises(StudyError) as caught:
        require_distinct_rows([ROW, ROW, ROW | {"participant_id": "2"}], STUDY.columns)
    assert caught.value.got == "sub-1_ses-01"


def test_two_sessions_of_one_person_are_two_visits() -> None:
    require_distinct_rows([ROW | {"session_id": "a"}, ROW | {"session_id": "b"}], STUDY.columns)


def test_a_missing_folder_names_the_key_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_folder(str(tmp_path / "nowhere"), "study.path")
    assert caught.value.where == "study.path" and "study.path" in caught.value.remedy and caught.value.exit_code == 2


def test_a_table_is_found_inside_the_study_or_by_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "inside.tsv").write_text("id\n")
    assert require_table("inside.tsv", tmp_path) == tmp_path / "inside.tsv"
    assert require_table(str(tmp_path / "inside.tsv"), tmp_path / "elsewhere") == tmp_path / "inside.tsv"
    with pytest.raises(ConfigurationError, match=r"study\.table"):
        require_table("missing.tsv", tmp_path)
    with pytest.raises(ConfigurationError, match=r"study\.table"):
        require_table("", tmp_path)
