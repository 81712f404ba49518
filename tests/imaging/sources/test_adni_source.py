"""ADNI as a whole: folders and tables in, visits, rejections and warnings out."""

import math
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.imaging.sources import read_source
from cohortsmith.imaging.sources.inventory import Inventory

A, B, NEW, FAILED = "941_S_0001", "941_S_0002", "941_S_10893", "941_S_10894"
N3, SCALED, RAW = "MPR__GradWarp__B1_Correction__N3", "MPR__GradWarp__B1_Correction__N3__Scaled", "MP-RAGE"
MERGE = "RID,PTID,VISCODE,SITE,COLPROT,ORIGPROT,EXAMDATE,EXAMDATE_bl,DX_bl,AGE,PTGENDER,DX,MMSE\n"
META = "Orig/Proc,SubjectID,Visit,MagStrength,Sequence,ScanDate,SeriesID,ImageUID\n"
SEARCH = "Image Data ID,Subject,Group,Sex,Age,Visit,Modality,Description,Type,Acq Date,Format,Downloaded\n"
OPTIONAL = ("MRIQUALITY", "MAYOADIRL_MRI_IMAGEQC_12_08_15", "DXSUM_PDXCONV_ADNIALL")


def merge_row(person: str = A, code: str = "bl", exam: str = "2006-01-10", **values: str) -> str:
    defaults = {"site": "3", "protocol": "ADNI1", "joined": "ADNI1", "group": "LMCI", "age": "74.3", "dx": "MCI"}
    use = defaults | values
    return (
        f"{int(person[-4:])},{person},{code},{use['site']},{use['protocol']},{use['joined']},{exam},2006-01-10,"
        f"{use['group']},{use['age']},Female,{use['dx']},28\n"
    )


def meta_row(
    image: int,
    series: int,
    sequence: str = SCALED,
    person: str = A,
    visit: str = "ADNI Screening",
    day: str = "2006-01-02",
) -> str:
    kind = "Original" if sequence == RAW else "Processed"
    return f"{kind},{person},{visit},1.5,{sequence.replace('__', '; ')},{day},{series},{image}\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def store(
    folder: Path,
    image: int,
    series: int,
    sequence: str = N3,
    person: str = A,
    day: str = "2006-01-02",
    new: bool = False,
) -> Path:
    last = f"I{image}" if new else f"S{series}"
    name = f"ADNI_{person}_MR_{sequence}_Br_20070101_S{series}_I{image}"
    suffix = ".dcm" if sequence == RAW else ".nii"
    path = folder / "ADNI" / person / sequence / f"{day}_10_00_00.0" / last / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def read(folder: Path, table: str = "") -> Inventory:
    return read_source(StudyConfig(name="adni", source="adni", path=str(folder), table=table, labels=("CN", "AD")))


def rules(inventory: Inventory) -> dict[str, str]:
    return {item.candidate: item.rule for item in (*inventory.visits, *inventory.rejections)}


@pytest.mark.parametrize("new", [False, True])
def test_the_paper_s_layout_and_today_s_give_the_same(tmp_path: Path, new: bool) -> None:
    write(
        tmp_path, "tables/ADNIMERGE.csv", MERGE + merge_row() + merge_row(code="m12", exam="2007-01-20", dx="Dementia")
    )
    write(
        tmp_path,
        "tables/MPRAGEMETA.csv",
        META + meta_row(11, 5) + meta_row(12, 5, RAW) + meta_row(13, 9, visit="ADNI1/GO Month 12"),
    )
    chosen = store(tmp_path, 10, 5, new=new)
    store(tmp_path, 11, 5, SCALED, new=new)
    original = store(tmp_path, 12, 5, RAW, new=new)
    late = store(tmp_path, 13, 9, SCALED, day="2007-01-25", new=new)
    inventory = read(tmp_path)
    assert [visit.source for visit in inventory.visits] == [str(chosen), str(late)]
    assert rules(inventory) == {
        "I10": "adni.n3",
        "I11": "adni.other_stage",
        "I12": "adni.other_stage",
        "I13": "adni.scaled",
    }
    assert str(original.parent) not in [visit.source for visit in inventory.visits]


def test_a_visit_carries_the_person_of_that_visit(tmp_path: Path) -> None:
    write(
        tmp_path,
        "ADNIMERGE.csv",
        MERGE + merge_row() + merge_row(code="m12", exam="2007-01-20", dx="Dementia", site=""),
    )
    write(tmp_path, "MPRAGEMETA.csv", META + meta_row(13, 9, visit="ADNI1/GO Month 12", day="2007-01-25"))
    store(tmp_path, 13, 9, SCALED)
    (visit,) = read(tmp_path).visits
    assert visit[:3] == ("sub-ADNI941S0001_ses-M012", "sub-ADNI941S0001", "ses-M012")
    assert (visit.diagnosis, visit.sex, visit.mmse, visit.site, visit.day) == ("AD", "F", 28.0, "941", 375)
    assert visit.age == pytest.approx(74.3 + 375 / 365.25, abs=1e-12)


def test_raw_images_come_as_a_folder_and_the_names_of_their_files(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    place = store(tmp_path, 12, 5, RAW)
    store(tmp_path, 14, 5, RAW)
    visit = read(tmp_path).visits[0]
    assert (visit.source, visit.files, visit.rule) == (str(place.parent), "*_I12.*", "adni.raw")


def test_all_clinical_visits_are_listed_and_visits_without_month_are_no_sessions(tmp_path: Path) -> None:
    rows = [
        merge_row(),
        merge_row(code="m06", exam="", dx=""),
        merge_row(code="uns1", exam="2008-05-05"),
        merge_row(code="f"),
    ]
    write(tmp_path, "ADNIMERGE.csv", MERGE + "".join(rows))
    write(tmp_path, "MPRAGEMETA.csv", META + meta_row(11, 5, visit="odd", day="2008-05-04"))
    inventory = read(tmp_path)
    assert [one[1:] for one in inventory.clinical] == [
        ("ses-M000", 0.0, "MCI", "LMCI"),
        ("ses-M006", 6.0, "n/a", "LMCI"),
    ]
    assert rules(inventory) == {"I11": "adni.no_session"} and inventory.rejections[0].key == ""


def test_what_is_left_out_before_any_choice_has_a_rule_of_its_own(tmp_path: Path) -> None:
    exception = "031_S_0830"
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row() + merge_row(exception, "m48", "2010-01-01"))
    rows = [
        meta_row(1, 1, person=B),
        meta_row(2, 2, person=exception, visit="ADNI1/GO Month 48"),
        meta_row(3, 3, visit="ADNI Baseline"),
        meta_row(4, 4),
    ]
    write(tmp_path, "MPRAGEMETA.csv", META + "".join(rows))
    inventory = read(tmp_path)
    assert rules(inventory) == {
        "I1": "adni.no_subject",
        "I2": "adni.exception_list",
        "I3": "adni.no_visit",
        "I4": "adni.not_on_disk",
    }
    assert {one.candidate: one.key for one in inventory.rejections}["I2"] == "sub-ADNI031S0830_ses-M048"


def test_diagnoses_at_screening_replace_the_group_of_those_who_joined_in_adni3(tmp_path: Path) -> None:
    rows = [merge_row(joined="ADNI3", protocol="ADNI3", group="CN"), merge_row(B, group="CN")]
    write(tmp_path, "ADNIMERGE.csv", MERGE + "".join(rows))
    write(tmp_path, "DXSUM_02Feb2026.csv", f"PTID,VISCODE2,DIAGNOSIS\n{A},sc,3\n{A},bl,1\n{B},sc,3\n")
    store(tmp_path, 1, 1)
    assert [one.baseline_diagnosis for one in read(tmp_path).clinical] == ["AD", "CN"]


def test_old_names_of_a_change_of_diagnosis_give_the_present_one(tmp_path: Path) -> None:
    texts = ["NL", "MCI to Dementia", "Dementia to MCI", "AD", "odd", ""]
    codes = ["bl", "m06", "m12", "m18", "m24", "m36"]
    rows = [merge_row(code=code, dx=text) for code, text in zip(codes, texts, strict=True)]
    write(tmp_path, "ADNIMERGE.csv", MERGE + "".join(rows))
    store(tmp_path, 1, 1)
    assert [one.diagnosis for one in read(tmp_path).clinical] == ["CN", "AD", "MCI", "AD", "n/a", "n/a"]


def test_without_adnimerge_the_tables_it_was_merged_from_are_used(tmp_path: Path) -> None:
    write(
        tmp_path,
        "REGISTRY_1Jan2026.csv",
        f"PHASE,PTID,RID,VISCODE,VISCODE2,EXAMDATE\nADNI3,{A},1,sc,sc,2018-02-01\nADNI3,{A},1,bl,bl,3/1/2018\nADNI3,{A},1,y1,m12,2019-03-01\n",
    )
    write(
        tmp_path,
        "DXSUM_1Jan2026.csv",
        f"PHASE,PTID,RID,VISCODE,VISCODE2,DIAGNOSIS\nADNI3,{A},1,sc,sc,2\nADNI3,{A},1,y1,m12,3\n",
    )
    write(tmp_path, "PTDEMOG_1Jan2026.csv", "RID,PTGENDER,PTDOB\n1,2,03/1940\n")
    write(tmp_path, "MMSE_1Jan2026.csv", f"PTID,VISCODE2,MMSCORE\n{A},sc,27\n{A},m12,-4\n")
    write(
        tmp_path,
        "search_2_1_2026.csv",
        SEARCH
        + f'"I77","{A}","MCI","F","78","sc","MRI","Accelerated Sagittal MPRAGE","Original","2/01/2018","DCM",""\n',
    )
    store(tmp_path, 77, 700, "Accelerated_Sagittal_MPRAGE", day="2018-02-01", new=True)
    inventory = read(tmp_path)
    (visit,) = inventory.visits
    assert visit.key == "sub-ADNI941S0001_ses-M000" and visit.rule == "adni.raw"
    assert (visit.diagnosis, visit.sex, visit.mmse, visit.site) == ("MCI", "F", 27.0, "941")
    assert visit.age == pytest.approx(78, abs=16 / 365.25)
    assert [one[1:] for one in inventory.clinical] == [("ses-M000", 0.0, "MCI", "MCI"), ("ses-M012", 12.0, "AD", "MCI")]
    assert any(warning.startswith("ADNIMERGE.csv is missing") for warning in inventory.warnings)


def test_people_of_protocols_that_adnimerge_does_not_cover_come_from_the_other_tables(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    rows = [f"ADNI1,{B},sc,2006-01-01", f"ADNI1,{B},m06,2006-06-01", f"ADNI4,{NEW},4_sc,2023-03-01"]
    rows += [f"ADNI4,{NEW},sc,2023-03-01", f"ADNI4,{NEW},bl,2023-04-01", f"ADNI4,{FAILED},sc,2023-03-01"]
    write(tmp_path, "REGISTRY.csv", "PHASE,PTID,VISCODE2,EXAMDATE\n" + "\n".join(rows) + "\n")
    for number, person in enumerate((A, B, NEW, FAILED), 1):
        store(tmp_path, number, number, "Accelerated_Sagittal_MPRAGE", person, day="2023-03-02", new=True)
    found = rules(read(tmp_path))
    assert found == {"I1": "adni.raw", "I2": "adni.no_subject", "I3": "adni.raw", "I4": "adni.no_subject"}


def test_visit_codes_of_one_month_are_one_session_and_ids_that_are_none_are_passed_over(tmp_path: Path) -> None:
    rows = [merge_row(), merge_row(code="m6", exam="2006-07-01", dx="CN"), merge_row(code="m06", exam="2006-07-02")]
    write(
        tmp_path,
        "ADNIMERGE.csv",
        MERGE + "".join(rows) + merge_row(code="m9999999999") + "7,../../x,bl,3\n".replace("3\n", "3" + "," * 9 + "\n"),
    )
    write(
        tmp_path,
        "MPRAGEMETA.csv",
        META + meta_row(3, 3).replace(A, "../../x") + meta_row(4, 4, visit="ADNI1/GO Month 6"),
    )
    store(tmp_path, 4, 4, SCALED)
    inventory = read(tmp_path)
    assert [(one.session_id, one.diagnosis) for one in inventory.clinical] == [("ses-M000", "MCI"), ("ses-M006", "CN")]
    assert rules(inventory) == {"I3": "adni.no_subject", "I4": "adni.scaled"}


def test_the_new_list_of_all_images_is_read(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    header = (
        "image_id,subject_id,study_id,series_id,image_visit,image_date,image_description,image_type,mri_field_str\n"
    )
    rows = f"I11,{A},1,S5,sc,2006-01-02,MPR; GradWarp; B1 Correction; N3; Scaled,Pre-processed,1.494\n12,{A},1,5,sc,2006-01-02,Axial FLAIR,Original,1.5\n"
    write(tmp_path, "Mine_All_Images_02Feb2026.csv", header + rows)
    store(tmp_path, 11, 5, SCALED, new=True)
    inventory = read(tmp_path)
    assert rules(inventory) == {"I11": "adni.scaled"} and inventory.visits[0].key == "sub-ADNI941S0001_ses-M000"


def test_without_any_list_the_images_on_disk_speak_for_themselves(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row() + merge_row(code="m12", exam="2007-01-20"))
    store(tmp_path, 10, 5)
    store(tmp_path, 20, 6, day="2007-02-01")
    store(tmp_path, 30, 7, "Axial_T2-FLAIR")
    inventory = read(tmp_path)
    assert rules(inventory) == {"I10": "adni.n3", "I20": "adni.n3"}
    assert [visit.session_id for visit in inventory.visits] == ["ses-M000", "ses-M012"]
    assert inventory.visits[0].reason.endswith("its visit is the closest, 8 days away")
    assert (
        "The field strength of 2 images is not known: between 1.5 T and 3 T their series' numbers decide."
        in inventory.warnings
    )


@pytest.mark.parametrize("missing", OPTIONAL)
def test_a_missing_optional_table_is_a_warning_that_says_what_is_lost(tmp_path: Path, missing: str) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    write(tmp_path, "MPRAGEMETA.csv", META + meta_row(11, 5))
    texts = {"MRIQUALITY": "LONIUID,PASS\nS5,0\n", OPTIONAL[1]: "loni_image,series_selected,series_quality\nI1,1,1\n"}
    for name in OPTIONAL:
        write(tmp_path, f"{name}.csv", texts.get(name, "PTID,VISCODE2,DIAGNOSIS\n"))
    assert read(tmp_path).warnings == ()
    assert rules(read(tmp_path)) == {"I11": "adni.failed_quality"}
    (tmp_path / f"{missing}.csv").unlink()
    (warning,) = read(tmp_path).warnings
    assert missing in warning and "without it" in warning


def test_lost_columns_are_named(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", f"PTID,VISCODE,DX\n{A},bl,CN\n")
    write(tmp_path, "MPRAGEMETA.csv", META + meta_row(11, 5))
    store(tmp_path, 11, 5, SCALED)
    inventory = read(tmp_path)
    (visit,) = inventory.visits
    assert (visit.diagnosis, visit.sex, visit.day) == ("CN", "n/a", None) and math.isnan(visit.age)
    assert any("AGE" in warning and "PTGENDER" in warning for warning in inventory.warnings)


def test_a_second_copy_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    store(tmp_path / "part1", 10, 5)
    store(tmp_path / "part2", 10, 5)
    store(tmp_path, 11, 4, new=True).unlink()
    inventory = read(tmp_path)
    found = rules(inventory)
    assert found.pop("I10") == "adni.n3" and found.pop("I11") == "adni.not_on_disk"
    assert list(found.values()) == ["adni.duplicate"]


def test_tables_may_lie_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "clinical/ADNIMERGE.csv", MERGE + merge_row())
    store(tmp_path / "images", 10, 5)
    assert len(read(tmp_path / "images", str(tmp_path / "clinical")).visits) == 1
    with pytest.raises(ConfigurationError, match=r"study\.table"):
        read(tmp_path / "images", str(tmp_path / "nowhere"))


def test_a_study_without_images_or_without_visits_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="tick Original, Pre-processed and Post-processed"):
        read(tmp_path)
    store(tmp_path, 10, 5)
    with pytest.raises(StudyError, match="download them at LONI"):
        read(tmp_path)


def test_no_person_is_named_in_what_is_told(tmp_path: Path) -> None:
    write(tmp_path, "ADNIMERGE.csv", MERGE + merge_row())
    write(tmp_path, "MPRAGEMETA.csv", META + meta_row(11, 5) + meta_row(12, 6, person=B))
    inventory = read(tmp_path)
    told = [
        *inventory.warnings,
        *(text for one in inventory.rejections for text in (one.reason, one.candidate, one.rule)),
    ]
    assert not any(person in text for person in (A, B) for text in told)


ROWS = st.tuples(
    st.integers(1, 8),
    st.integers(1, 4),
    st.sampled_from([N3, SCALED, RAW, "MPR__GradWarp", "MT1__N3m", "T2"]),
    st.sampled_from([A, B]),
    st.sampled_from(["ADNI Screening", "ADNI Baseline", "ADNI1/GO Month 12", "odd", ""]),
    st.sampled_from(["2006-01-02", "2007-01-03", "2009-01-01", ""]),
)
FOLDERS = st.tuples(
    st.integers(1, 10),
    st.integers(1, 4),
    st.sampled_from([N3, SCALED, RAW, "Axial_T2"]),
    st.sampled_from([A, B]),
    st.sampled_from(["2006-01-02", "2007-01-03"]),
    st.booleans(),
)
VISITS = st.lists(
    st.tuples(
        st.sampled_from([A, B]),
        st.sampled_from(["bl", "m12", "m36", "f"]),
        st.sampled_from(["2006-01-10", "2007-01-10", ""]),
        st.sampled_from(["ADNI1", "ADNI2", "ADNI3", ""]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.slow
# Every example writes files: failing ones are shown as they are, not made smaller.
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(rows=st.lists(ROWS, max_size=8), folders=st.lists(FOLDERS, min_size=1, max_size=8), visits=VISITS)
def test_every_image_listed_or_on_disk_is_told_exactly_once(
    rows: list[tuple[int, int, str, str, str, str]],
    folders: list[tuple[int, int, str, str, str, bool]],
    visits: list[tuple[str, str, str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        write(root, "MPRAGEMETA.csv", META + "".join(meta_row(*row) for row in rows))
        write(
            root,
            "ADNIMERGE.csv",
            MERGE + "".join(merge_row(who, code, day, protocol=kind) for who, code, day, kind in visits),
        )
        store(root, 99, 9)
        stored = {store(root, *folder) for folder in folders}
        inventory = read(root)
    candidates = [item.candidate for item in (*inventory.visits, *inventory.rejections)]
    t1w = {path for path in stored if "T2" not in path.name}
    images = pd.DataFrame(
        [(row[3], str(row[0])) for row in rows] + [(p.parts[-5], p.stem.rsplit("_I")[-1]) for p in t1w] + [(A, "99")]
    ).drop_duplicates()
    # Files of one number in one folder are one image, whatever series their names say.
    on_disk = {(p.parts[-5], p.stem.rsplit("_I")[-1], p.parent) for p in t1w}
    copies = len(on_disk) - len({key[:2] for key in on_disk})
    assert len(candidates) == len(set(candidates)) == len(images) + copies
    keys = [visit.key for visit in inventory.visits]
    assert len(keys) == len(set(keys)) and all(Path(visit.source).name for visit in inventory.visits)
    assert {f"I{number}" for _, number in images.itertuples(index=False)} <= set(candidates)
