import json

import nibabel as nib
import numpy as np
import pytest

from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume


@pytest.fixture
def folder(tmp_path):
    return RecordFolder(filepath=str(tmp_path), name="<subject>/<session>/anat/<key>_T1w", description="made here")


def test_what_is_saved_comes_back_with_record_and_voxels(folder, volume):
    folder.save({"sub-1_ses-M000": Stored({"Age": 70.5}, volume)})

    stored = folder.load()["sub-1_ses-M000"]

    assert stored.record["Age"] == 70.5
    np.testing.assert_array_equal(stored.load().data, volume.data)
    np.testing.assert_allclose(stored.load().affine, volume.affine)


def test_files_lie_where_bids_wants_them(folder, volume, tmp_path):
    folder.save({"sub-1_ses-M000": Stored({}, volume)})

    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {f"sub-1/ses-M000/anat/sub-1_ses-M000_T1w{end}" for end in (".nii.gz", ".json")}


def test_the_header_says_where_the_scan_comes_from(folder, volume, tmp_path):
    folder.save({"sub-1_ses-1": Stored({}, volume)})

    header = nib.load(next(tmp_path.rglob("*.nii.gz"))).header
    assert header["descrip"].item().decode() == "made here"


def test_a_removed_key_leaves_nothing_behind(folder, volume, tmp_path):
    folder.save({"sub-1_ses-1": Stored({}, volume), "sub-2_ses-1": Stored({}, volume)})

    folder.save({"sub-1_ses-1": None})

    assert list(folder.load()) == ["sub-2_ses-1"]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_a_payload_without_its_record_does_not_count(folder, volume, tmp_path):
    folder.save({"sub-1_ses-1": Stored({}, volume)})
    next(tmp_path.rglob("*.json")).unlink()

    assert folder.load() == {}
    assert not folder.exists()


def test_an_empty_folder_is_an_empty_study(folder):
    assert folder.load() == {}


def test_a_record_without_voxels_is_a_plain_json_file(tmp_path):
    folder = RecordFolder(filepath=str(tmp_path))

    folder.save({"run-1": Stored({"score": 0.5})})

    assert json.loads((tmp_path / "run-1.json").read_text()) == {"Key": "run-1", "score": 0.5}


def test_one_slice_also_becomes_a_picture(tmp_path):
    folder = RecordFolder(filepath=str(tmp_path), previews=True)

    folder.save({"a": Stored({}, Volume(np.ones((4, 5, 1), dtype=np.float32), np.eye(4)))})

    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_files_beside_the_scan_come_and_go_with_it(folder, volume, tmp_path):
    folder.save({"sub-1_ses-1": Stored({}, volume, files={"from-T1w_xfm.txt": b"1 0 0", "desc-a_T1w.json": b"{}"})})
    names = {path.name for path in tmp_path.rglob("sub-1_ses-1_*") if path.is_file()}
    assert names == {f"sub-1_ses-1_{end}" for end in ("T1w.nii.gz", "T1w.json", "from-T1w_xfm.txt", "desc-a_T1w.json")}

    folder.save({"sub-1_ses-1": Stored({}, volume, files={"from-T1w_xfm.txt": b"2 0 0"})})
    assert not list(tmp_path.rglob("*desc-a*"))
    assert next(tmp_path.rglob("*_xfm.txt")).read_bytes() == b"2 0 0"

    folder.save({"sub-1_ses-1": None})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_damaged_record_does_not_count(folder, volume, tmp_path):
    folder.save({"sub-1_ses-1": Stored({}, volume), "sub-2_ses-1": Stored({}, volume)})
    record = next(tmp_path.rglob("sub-1*.json"))
    record.write_text(record.read_text()[:9])

    assert list(folder.load()) == ["sub-2_ses-1"]
