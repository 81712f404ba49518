"""AIBL as a whole: folders and tables in, visits, rejections and warnings out."""

import math
from pathlib import Path

import pytest

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources import read_source
from cohortsmith.imaging.sources.inventory import Inventory

CONFIRMED, SECOND = "MPRAGE_ADNI_confirmed", "MPRAGE_SAG_ISO_p2_ND"
TABLES = {
    "mrimeta": "RID,SITEID,VISCODE,EXAMDATE\n12,1,bl,03/04/2008\n12,1,m18,-4\n",
    "mri3meta": "RID,SITEID,VISCODE,EXAMDATE\n12,1,m18,9/5/2009\n13,2,bl,01/02/2010\n",
    "ptdemog": "RID,SITEID,PTDOB,PTGENDER\n12,1,/1936,2\n13,-4,-4,-4\n342,3,/1930,1\n",
    "pdxconv": "RID,VISCODE,DXCURREN\n12,bl,1\n12,m18,3\n12,m36,-4\n13,bl,2\n342,bl,1\n342,m54,7\n",
    "mmse": "RID,VISCODE,EXAMDATE,MMSCORE\n12,bl,03/01/2008,29\n12,m18,-4,-4\n",
    "neurobat": "RID,VISCODE,EXAMDATE\n12,bl,03/02/2008\n12,m18,-4\n342,bl,05/05/2007\n342,m54,11/05/2011\n",
    "cdr": "RID,VISCODE,EXAMDATE,CDGLOBAL\n12,m36,04/04/2011,0.5\n",
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name, text in TABLES.items():
        (tmp_path / f"aibl_{name}_01-Jun-2018.csv").write_text(text)
    return tmp_path


def store(
    folder: Path, person: str, image: int, day: str = "2008-03-04", sequence: str = CONFIRMED, piece: str = "AIBL"
) -> Path:
    place = folder / piece / person / sequence / f"{day}_09_00_00.0" / f"I{image}"
    place.mkdir(parents=True)
    (place / f"AIBL_{person}_MR_{sequence}_1_S{image}_I{image}.dcm").touch()
    return place


def read(folder: Path) -> Inventory:
    return read_source(StudyConfig(name="aibl", source="aibl", path=str(folder), labels=("CN", "AD")))


def rules(inventory: Inventory) -> dict[str, str]:
    return {item.candidate: item.rule for item in (*inventory.visits, *inventory.rejections)}


def images(inventory: Inventory) -> dict[str, tuple[str, str]]:
    items = (*inventory.visits, *inventory.rejections)
    return {item.candidate: (item.key, item.rule) for item in items if item.candidate.startswith("I")}


def test_the_day_of_the_folder_leads_to_the_visit_in_either_table_of_scans(study: Path) -> None:
    store(study, "12", 1)
    store(study, "12", 2, "2009-09-05")
    store(study, "12", 3, "2009-05-09")
    assert images(read(study)) == {
        "I1": ("sub-AIBL12_ses-M000", "aibl.dated"),
        "I2": ("sub-AIBL12_ses-M018", "aibl.dated"),
        "I3": ("", "aibl.no_visit"),
    }


def test_a_visit_carries_the_values_of_that_visit(study: Path) -> None:
    place = store(study, "12", 1, "2009-09-05")
    (visit,) = read(study).visits
    assert (visit.source, visit.diagnosis, visit.sex, visit.site) == (str(place), "AD", "F", "1")
    # 2009 - 1936; the day is that of mri3meta, for neurobat does not know it, after the baseline day of neurobat.
    assert visit.age == 73 and visit.day == 552 and math.isnan(visit.mmse)


@pytest.mark.parametrize("code", ["-4", "-4.0"])
def test_minus_four_is_unknown_in_every_column(study: Path, code: str) -> None:
    (study / "aibl_ptdemog_01-Jun-2018.csv").write_text(f"RID,SITEID,PTDOB,PTGENDER\n13,{code},{code},{code}\n")
    store(study, "13", 1, "2010-01-02")
    (visit,) = read(study).visits
    assert (visit.sex, visit.site) == ("n/a", "n/a") and math.isnan(visit.age) and math.isnan(visit.mmse)


def test_all_clinical_visits_are_listed_scanned_or_not(study: Path) -> None:
    store(study, "12", 1)
    assert [tuple(one) for one in read(study).clinical] == [
        ("sub-AIBL12", "ses-M000", 0.0, "CN", "CN"),
        ("sub-AIBL12", "ses-M018", 18.0, "AD", "CN"),
        ("sub-AIBL12", "ses-M036", 36.0, "n/a", "CN"),
        ("sub-AIBL13", "ses-M000", 0.0, "MCI", "MCI"),
        ("sub-AIBL342", "ses-M000", 0.0, "CN", "CN"),
        ("sub-AIBL342", "ses-M054", 54.0, "n/a", "CN"),
    ]


@pytest.mark.parametrize(("person", "session"), [("12", "M000"), ("342", "M054"), ("557", "M054"), ("0342", "M054")])
def test_sequences_without_a_day_belong_to_baseline_and_those_of_two_people_to_month_54(
    study: Path, person: str, session: str
) -> None:
    store(study, person, 7, "1999-09-09", SECOND)
    assert images(read(study)) == {"I7": (f"sub-AIBL{int(person)}_ses-{session}", "aibl.undated")}


def test_the_first_image_of_a_visit_is_taken_and_the_others_are_told(study: Path) -> None:
    store(study, "12", 4, sequence="MPRAGE")
    store(study, "12", 3, sequence=SECOND)
    store(study, "12", 9)
    store(study, "12", 8, piece="AIBL/part2")
    assert rules(read(study)) | {"": ""} == {
        "I9": "aibl.dated",
        "I8": "aibl.later_image",
        "I4": "aibl.later_image",
        "I3": "aibl.later_image",
        "": "",
    } | {one.candidate: one.rule for one in read(study).rejections if one.rule == "aibl.not_on_disk"}


def test_other_folders_are_told_if_they_may_be_t1_weighted(study: Path) -> None:
    store(study, "0151083", 1)
    store(study, "12", 2, sequence="MPRAGE_other")
    store(study, "12", 3, sequence="PET_AV45")
    store(study, "12", 4, sequence="T1_FLAIR")
    empty = store(study, "12", 5, "2009-09-05")
    next(empty.iterdir()).unlink()
    assert {name: rule for name, (_, rule) in images(read(study)).items()} == {
        "I1": "aibl.ignored_folder",
        "I2": "aibl.other_sequence",
        "I4": "aibl.other_sequence",
        "I5": "aibl.empty_folder",
    }


def test_listed_scans_without_any_folder_are_missing(study: Path) -> None:
    store(study, "12", 1)
    missing = {one.key for one in read(study).rejections if one.rule == "aibl.not_on_disk"}
    assert missing == {"sub-AIBL12_ses-M018", "sub-AIBL13_ses-M000"}


def test_tables_of_pet_are_never_missed_and_others_are(study: Path) -> None:
    store(study, "12", 1)
    assert read(study).warnings == ()
    (study / "aibl_mri3meta_01-Jun-2018.csv").unlink()
    (study / "aibl_ptdemog_01-Jun-2018.csv").unlink()
    inventory = read(study)
    assert [warning.split(" is missing")[0] for warning in inventory.warnings] == [
        "aibl_ptdemog*.csv",
        "aibl_mri3meta*.csv",
    ]
    assert inventory.visits[0].sex == "n/a" and math.isnan(inventory.visits[0].age)


def test_a_study_without_images_or_tables_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no T1-weighted image"):
        read(tmp_path)
    store(tmp_path, "12", 1)
    with pytest.raises(StudyError, match="Download Clinical Data"):
        read(tmp_path)


def test_every_candidate_has_its_own_name(study: Path) -> None:
    store(study, "12", 1)
    store(study, "12", 1, piece="copy/AIBL")
    inventory = read(study)
    candidates = [item.candidate for item in (*inventory.visits, *inventory.rejections)]
    assert len(candidates) == len(set(candidates)) == 4
