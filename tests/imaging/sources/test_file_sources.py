"""Folders of NIfTI, BIDS datasets and folders of 2-D images."""

import json
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, ScanRejected, StudyError
from cohortsmith.imaging.sources import Inventory, convert_visit, read_source
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.ledger import candidates

HEADER = "participant_id\tdiagnosis\tage\tsex\n"
NO_SESSION = Columns(session="")


def save_scan(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(0).random((17, 18, 19)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, np.diag([-2.0, 3, 4, 1])), path)


def study(source: str, folder: Path, table: str = "clinical.tsv", columns: Columns = NO_SESSION) -> StudyConfig:
    return StudyConfig(
        name="test", source=source, path=str(folder), table=table, labels=("control", "depr"), columns=columns
    )


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    """Five rows: two good, and three each with one thing wrong."""
    rows = ["A-1\tcontrol\t60\tm", "A-2\tdepr\tn/a\t2", "A-3\tMCI\t60\tf", "A-4\tdepr\told\tf", "A-5\tdepr\t60\tf"]
    (tmp_path / "clinical.tsv").write_text(HEADER + "\n".join(rows) + "\n")
    for name in ("A-1.nii.gz", "A-2.nii", "A-3.nii", "A-4.nii"):
        save_scan(tmp_path / name)
    return tmp_path


def test_what_goes_in_comes_out_converted_or_rejected(nifti: Path) -> None:
    inventory = read_source(study("nifti", nifti))
    assert [(visit.key, visit.diagnosis) for visit in inventory.visits] == [
        ("sub-A1_ses-01", "control"),
        ("sub-A2_ses-01", "depr"),
        ("sub-A3_ses-01", "MCI"),
    ]
    assert {rejection.key: (rejection.rule, rejection.reason) for rejection in inventory.rejections} == {
        "sub-A4_ses-01": ("table.unusable_value", "age is not a number from 0 to 120"),
        "sub-A5_ses-01": ("files.missing", "scan is missing: none of 2 expected file names exists"),
    }
    assert {rejection.step for rejection in inventory.rejections} == {"ingest"}


def test_a_file_that_no_row_names_is_listed(nifti: Path) -> None:
    save_scan(nifti / "deep" / "er" / "B-1.nii.gz")
    (nifti / ".trash").mkdir()
    save_scan(nifti / ".trash" / "C-1.nii.gz")
    rejections = [one for one in read_source(study("nifti", nifti)).rejections if one.rule == "files.not_in_table"]
    assert [(one.key, one.candidate) for one in rejections] == [("", candidate_name("deep/er/B-1.nii.gz"))]


def test_rows_that_lead_to_one_scan_are_all_set_aside(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,dx,age,sex,where\n1,depr,50,F,x.nii\n2,depr,60,F,x.nii\n")
    save_scan(tmp_path / "x.nii")
    columns = Columns(participant="id", session="", diagnosis="dx", file="where")
    inventory = read_source(study("nifti", tmp_path, "t.csv", columns))
    assert inventory.visits == ()
    assert [(one.key, one.rule) for one in inventory.rejections] == [
        ("sub-1_ses-01", "files.named_twice"),
        ("sub-2_ses-01", "files.named_twice"),
    ]
    require_distinct(inventory)


@pytest.mark.parametrize("place", ["../outside.nii", "link.nii"])
def test_a_scan_outside_the_study_is_not_opened(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    save_scan(tmp_path / "outside.nii")
    (folder / "link.nii").symlink_to(tmp_path / "outside.nii")
    (folder / "t.csv").write_text(f"id,dx,age,sex,where\n1,depr,50,F,{place}\n")
    columns = Columns(participant="id", session="", diagnosis="dx", file="where")
    inventory = read_source(study("nifti", folder, "t.csv", columns))
    assert inventory.visits == () and "files.outside" in {one.rule for one in inventory.rejections}


def test_an_identifier_cannot_lead_out_of_the_folder_either(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    save_scan(tmp_path / "x.nii")
    (folder / "clinical.tsv").write_text(HEADER + "../x\tdepr\t60\tf\n")
    inventory = read_source(study("nifti", folder))
    assert [(one.key, one.rule) for one in inventory.rejections] == [("sub-x_ses-01", "files.outside")]


def require_distinct(inventory: Inventory) -> None:
    names = candidates(inventory)
    assert "" not in names and len(set(names)) == len(names)


def test_a_visit_carries_its_person(nifti: Path) -> None:
    visit = read_source(study("nifti", nifti)).visits[0]
    assert visit[1:3] == ("sub-A1", "ses-01")
    assert (visit.diagnosis, visit.age, visit.sex, visit.site) == ("control", 60.0, "M", "n/a")


def test_an_inventory_travels_between_processes(nifti: Path) -> None:
    inventory = read_source(study("nifti", nifti))
    assert str(pickle.loads(pickle.dumps(inventory))) == str(inventory)


def test_a_scan_is_converted_to_ras_with_its_voxels(nifti: Path) -> None:
    volume = convert_visit(read_source(study("nifti", nifti)).visits[0]).volume
    original = np.asarray(nib.load(nifti / "A-1.nii.gz").dataobj)
    np.testing.assert_array_equal(volume.data, original[::-1])
    np.testing.assert_allclose(volume.affine, [[2, 0, 0, -32], [0, 3, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])


def test_the_file_column_leads_to_the_scan(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,visit,dx,age,sex,where\n1,bl,depr,50,F,deep/x.nii\n1,m6,depr,50.5,F,\n")
    save_scan(tmp_path / "scans" / "deep" / "x.nii")
    columns = Columns(participant="id", session="visit", diagnosis="dx", file="where")
    inventory = read_source(study("nifti", tmp_path / "scans", str(tmp_path / "t.csv"), columns))
    assert [visit.key for visit in inventory.visits] == ["sub-1_ses-bl"]
    assert [rejection.key for rejection in inventory.rejections] == ["sub-1_ses-m6"]
    require_distinct(inventory)


def test_an_external_cohort_is_read_the_same_way(nifti: Path, tmp_path: Path) -> None:
    config = study("nifti", tmp_path / "nowhere").model_copy(
        update={"external_path": str(nifti), "external_table": "clinical.tsv"}
    )
    assert len(read_source(config, external=True).visits) == 3


def test_duplicated_participants_are_named(nifti: Path) -> None:
    (nifti / "clinical.tsv").write_text(HEADER + "A-1\tdepr\t60\tm\n" * 2)
    with pytest.raises(StudyError, match="sub-A1_ses-01"):
        read_source(study("nifti", nifti))


def test_participants_that_would_share_a_name_are_named(nifti: Path) -> None:
    (nifti / "clinical.tsv").write_text(HEADER + "A-1\tdepr\t60\tm\nA_1\tdepr\t60\tm\n")
    with pytest.raises(StudyError, match="A-1 and A_1"):
        read_source(study("nifti", nifti))


def test_a_missing_session_column_is_named(nifti: Path) -> None:
    with pytest.raises(StudyError, match="lacks session_id"):
        read_source(study("nifti", nifti, columns=Columns()))


@pytest.mark.parametrize("source", ["nifti", "bids", "slices", "dicom"])
def test_a_missing_folder_stops_before_anything_starts(source: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"study\.path") as caught:
        read_source(study(source, tmp_path / "nowhere"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("source", ["nifti", "bids", "slices"])
def test_a_missing_table_stops_before_anything_starts(source: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"study\.table"):
        read_source(study(source, tmp_path))


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    rows = ["sub-01\tcontrol\t60\tm", "sub-02\tdepr\t61\tf", "sub-03\tdepr\t62\tf", "sub-04\tother\t62\tf"]
    (tmp_path / "participants.tsv").write_text(HEADER + "\n".join(rows) + "\n")
    save_scan(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    save_scan(tmp_path / "sub-01/anat/sub-01_acq-fast_run-2_T1w.nii.gz")
    (tmp_path / "sub-01/anat/sub-01_T1w.json").write_text(json.dumps({"EchoTime": 0.003, "PatientName": "DOE"}))
    save_scan(tmp_path / "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz")
    save_scan(tmp_path / "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii.gz")
    (tmp_path / "sub-02/ses-c/func").mkdir(parents=True)
    (tmp_path / "sub-02/sub-02_sessions.tsv").write_text("session_id\tage\tdiagnosis\nses-b\t63\tn/a\n")
    save_scan(tmp_path / "sub-04/anat/sub-04_T1w.nii.gz")
    save_scan(tmp_path / "sub-05/anat/sub-05_T1w.nii.gz")
    return tmp_path


def test_a_bids_folder_is_read_with_and_without_sessions(bids: Path) -> None:
    inventory = read_source(study("bids", bids, table=""))
    assert [(visit.key, visit.age) for visit in inventory.visits] == [
        ("sub-01_ses-01", 60.0),
        ("sub-02_ses-a", 61.0),
        ("sub-02_ses-b", 63.0),
        ("sub-04_ses-01", 62.0),
    ]
    assert [(rejection.key, rejection.rule) for rejection in inventory.rejections] == [
        ("sub-01_ses-01", "bids.other_run"),
        ("sub-02_ses-c", "files.missing"),
        ("sub-03_ses-01", "files.missing"),
        ("sub-05_ses-01", "table.no_row"),
    ]


def test_every_t1w_of_a_bids_folder_is_in_the_inventory_once(bids: Path) -> None:
    inventory = read_source(study("bids", bids, table=""))
    scans = {path.relative_to(bids).as_posix() for path in bids.rglob("*_T1w.nii*")}
    require_distinct(inventory)
    assert {candidate_name(scan) for scan in scans} <= set(candidates(inventory))
    assert {place for _, place in inventory.places} == scans


def test_a_subject_folder_that_is_not_named_as_bids_wants_is_still_read(bids: Path) -> None:
    save_scan(bids / "sub-0_3/anat/sub-0_3_T1w.nii")
    inventory = read_source(study("bids", bids, table=""))
    assert "sub-03_ses-01" in {visit.key for visit in inventory.visits}


def test_the_plainest_run_is_taken_and_its_sidecar_cleaned(bids: Path) -> None:
    visit = read_source(study("bids", bids, table="")).visits[0]
    assert Path(visit.source).name == "sub-01_T1w.nii.gz"
    assert convert_visit(visit).sidecar == {"EchoTime": 0.003}


def test_a_broken_foreign_sidecar_does_not_stop_the_scan(bids: Path) -> None:
    (bids / "sub-01/anat/sub-01_T1w.json").write_text("{")
    assert convert_visit(read_source(study("bids", bids, table="")).visits[0]).sidecar == {}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rows = ["sub-1\tcontrol\t60\tm", "sub-2\tdepr\t61\tf", "sub-3\tdepr\t61\tf"]
    (tmp_path / "participants.tsv").write_text(HEADER + "\n".join(rows) + "\n")
    (tmp_path / "images").mkdir()
    pixels = np.zeros((30, 20), np.uint8)
    pixels[2, 5] = 255
    Image.fromarray(pixels).save(tmp_path / "images" / "sub-1_plane-axial_T1w.png")
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(tmp_path / "sub-2.png")
    return tmp_path


def test_a_picture_becomes_a_slice_that_stands_upright(images: Path) -> None:
    inventory = read_source(study("slices", images, table=""))
    volume = convert_visit(inventory.visits[0]).volume
    assert volume.data.shape == (20, 30, 1)
    # Third row from the top: third voxel from the front end of the second axis.
    assert np.argwhere(volume.data == 255).tolist() == [[5, 27, 0]]
    assert [rejection.key for rejection in inventory.rejections] == ["sub-3_ses-01"]


def test_a_blank_picture_is_refused(images: Path) -> None:
    with pytest.raises(ScanRejected, match="constant"):
        convert_visit(read_source(study("slices", images, table="")).visits[1])


def test_a_truncated_picture_is_refused(images: Path) -> None:
    picture = images / "sub-2.png"
    picture.write_bytes(picture.read_bytes()[:40])
    with pytest.raises(ScanRejected, match="image cannot be read") as caught:
        convert_visit(read_source(study("slices", images, table="")).visits[1])
    assert caught.value.where == "sub-2_ses-01"


def test_a_thumbnail_is_refused(images: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(images / "sub-2.png")
    with pytest.raises(ScanRejected, match="too few"):
        convert_visit(read_source(study("slices", images, table="")).visits[1])


def test_an_error_of_the_external_study_names_its_own_keys(tmp_path: Path) -> None:
    config = StudyConfig(name="a", source="adni", labels=("CN", "AD"), path="", external_path=str(tmp_path))
    with pytest.raises(StudyError) as caught:
        read_source(config, external=True)
    assert caught.value.where == "study.external_path"
