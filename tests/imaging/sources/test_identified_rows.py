"""A row or folder that names nobody costs itself alone: it is listed by its number, never by what stands in it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.phantom.delivery.dicom_traps import SHORTER, study_files
from cohortsmith.imaging.phantom.delivery.files import write_files
from cohortsmith.imaging.sources import Inventory, read_source
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.identified_rows import split_rows
from cohortsmith.imaging.sources.ledger import build_ledger, candidates
from cohortsmith.pipelines.ingest import nodes

HEADER = "participant_id,diagnosis,age,sex,where\n"
COLUMNS = Columns(session="")
NOBODY = ["", "..", " - ", "sub-", "///", "n/a", "N/A", "x" * 65, "😀"]


def study(source: str, root: Path, *rows: str, columns: Columns = COLUMNS) -> StudyConfig:
    (root / "t.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return StudyConfig(name="t", source=source, path=str(root), table="t.csv", labels=("CN", "AD"), columns=columns)


def rules(inventory: Inventory) -> dict[str, str]:
    names = candidates(inventory)
    assert "" not in names and len(set(names)) == len(names)
    return {one.key or one.candidate: one.rule for one in (*inventory.visits, *inventory.rejections)}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    write_files(tmp_path, {"A.nii": b"", "B.nii": b"", "sub-A/anat/sub-A_T1w.nii": b""})
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(tmp_path / "A.png")
    return tmp_path


@pytest.mark.parametrize("name", NOBODY)
@pytest.mark.parametrize("source", ["nifti", "slices", "bids"])
def test_a_row_that_names_nobody_is_set_aside_and_the_others_go_on(scans: Path, source: str, name: str) -> None:
    inventory = read_source(study(source, scans, f'"{name}",QZSECRET,60,m,', "A,CN,60,m,"))
    assert [visit.key for visit in inventory.visits] == ["sub-A_ses-01"]
    (row,) = [one for one in inventory.rejections if one.rule == "table.unusable_identifier"]
    assert row.reason.startswith("row 2 of the study's table (its header is row 1, empty rows are not counted): ")
    assert row.key == "" and "QZSECRET" not in row.reason and "xxxx" not in row.reason
    rules(inventory)


def test_an_identifier_that_is_missing_is_told_from_one_that_has_no_letter() -> None:
    rows = [{"participant_id": name} for name in ("A", "n/a", "..", "x" * 65)]
    assert [(row.number, row.fault) for row in split_rows(rows, COLUMNS).unidentified] == [
        (3, "the participant's identifier is missing"),
        (4, "a participant's identifier has no letter or digit"),
        (5, "an identifier of a participant or session is too long for the name of a file"),
    ]


def test_a_session_too_long_for_a_name_costs_its_row_alone() -> None:
    rows = [{"participant_id": "A", "session_id": session} for session in ("bl", "x" * 65)]
    found = split_rows(rows, Columns())
    assert found.identified == rows[:1] and [row.number for row in found.unidentified] == [3]


@pytest.mark.parametrize("rows", [[], ['"",CN,60,m,', "..,CN,60,m,"]])
def test_only_a_table_that_names_nobody_at_all_stops_the_study(scans: Path, rows: list[str]) -> None:
    with pytest.raises(StudyError, match=r"(?s)no row of the study's table names a participant.*columns\.participant"):
        read_source(study("nifti", scans, *rows))


def test_the_scan_of_a_row_that_names_nobody_is_set_aside_with_it(scans: Path) -> None:
    columns = Columns(session="", file="where")
    inventory = read_source(study("nifti", scans, "A,CN,60,m,A.nii", "..,CN,60,m,B.nii", columns=columns))
    found = rules(inventory)
    assert found["sub-A_ses-01"] == "files.only_scan"
    assert found[candidate_name("B.nii")] == "table.unusable_identifier"


def test_a_scan_that_a_second_row_claims_for_nobody_is_nobodys(scans: Path) -> None:
    columns = Columns(session="", file="where")
    inventory = read_source(study("nifti", scans, "A,CN,60,m,A.nii", "..,CN,60,m,A.nii", columns=columns))
    assert inventory.visits == ()
    assert {one.rule for one in inventory.rejections if one.key == "sub-A_ses-01"} == {"files.named_twice"}
    assert "table.unusable_identifier" in rules(inventory).values()


def test_dicom_files_of_a_row_that_names_nobody_are_set_aside_with_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        files = study_files(SHORTER._replace(name=name), pixels=16)
        write_files(tmp_path / name, renamed(files, name))
    columns = Columns(session="", file="where")
    inventory = read_source(study("dicom", tmp_path, "A,CN,60,m,one", "..,CN,60,m,two", ",CN,60,m,", columns=columns))
    by_rule = [one.rule for one in inventory.rejections]
    assert [visit.key for visit in inventory.visits] == ["sub-A_ses-01"]
    assert by_rule.count("table.unusable_identifier") == 3 and "dicom.not_in_table" not in by_rule
    rules(inventory)


def renamed(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """Give the same study under another patient and other identifiers of the same length."""
    return {
        place: content.replace(b"1.2.826.0", b"1.2.826.1") if name == "two" else content
        for place, content in files.items()
    }


@pytest.mark.parametrize("folder", ["sub-", "sub-__", "sub-" + "x" * 65])
def test_a_folder_that_names_nobody_costs_its_own_scans_alone(scans: Path, folder: str) -> None:
    write_files(scans, {f"{folder}/anat/x_T1w.nii": b"", f"{folder}/ses-1/anat/y_T1w.nii": b""})
    found = rules(read_source(study("bids", scans, "A,CN,60,m,")))
    assert found == {
        "sub-A_ses-01": "files.only_scan",
        candidate_name(f"{folder}/anat/x_T1w.nii"): "bids.nameless_folder",
        candidate_name(f"{folder}/ses-1/anat/y_T1w.nii"): "bids.nameless_folder",
    }


@pytest.mark.parametrize("session", ["ses-", "ses-__", "ses-" + "x" * 65])
def test_a_session_without_a_name_does_not_take_the_place_of_another(scans: Path, session: str) -> None:
    write_files(scans, {f"sub-A/{session}/anat/x_T1w.nii": b""})
    found = rules(read_source(study("bids", scans, "A,CN,60,m,")))
    assert found["sub-A_ses-01"] == "files.only_scan" and sorted(found.values())[0] == "bids.nameless_folder"


@pytest.mark.parametrize(("one", "other"), [("ses-0_2", "ses-02"), ("ses-A", "ses-a")])
def test_sessions_that_would_share_a_name_are_both_set_aside(scans: Path, one: str, other: str) -> None:
    write_files(scans, {f"sub-A/{name}/anat/x_T1w.nii": b"" for name in (one, other)})
    found = rules(read_source(study("bids", scans, "A,CN,60,m,")))
    assert sorted(found.values()) == ["bids.same_session", "bids.same_session", "files.only_scan"]


def test_a_subject_and_its_session_01_would_share_a_name(scans: Path) -> None:
    write_files(scans, {"sub-A/ses-01/anat/x_T1w.nii": b""})
    inventory = read_source(study("bids", scans, "A,CN,60,m,"))
    assert inventory.visits == () and {one.rule for one in inventory.rejections} == {"bids.same_session"}


def test_the_ledger_has_a_row_for_every_row_that_names_nobody(scans: Path) -> None:
    config = study("nifti", scans, "A,CN,60,m,", ",CN,60,m,", "..,AD,61,f,")
    inventory = nodes.list_visits(config, ExecutionConfig(workers=1), role="training")
    plan = nodes.plan_ingest(inventory, {}, None, config, IngestConfig(), ExecutionConfig(workers=1), role="training")
    ledger = build_ledger(plan.inventory, {"sub-A_ses-01": "x"})
    numbers = [row.reason[:5] for row in ledger if row.rule == "table.unusable_identifier"]
    assert sorted(numbers) == ["row 3", "row 4"] and len(ledger) == 5
