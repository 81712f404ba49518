import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.volume import Volume, read_volume, write_volume

KEY = "sub-01_ses-01"


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(data, np.diag([2.0, 3, 4, 1]) if affine is None else affine), path)
    return path


@pytest.fixture
def voxels(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(100, 20, (17, 18, 19)).astype(np.float32)


def refusal(path: Path, **options: int) -> ScanRejected:
    with pytest.raises(ScanRejected) as caught:
        read_volume(path, KEY, **options)
    error = caught.value
    assert error.where == KEY
    assert error.got and error.expected and error.remedy
    assert str(path) not in str(error) and path.name not in str(error)
    return error


def test_what_is_written_is_read_back(tmp_path: Path, voxels: np.ndarray) -> None:
    affine = np.diag([1.0, 1.5, 2, 1])
    affine[:3, 3] = -3, 5, 7
    write_volume(tmp_path / "a.nii.gz", Volume(voxels, affine), "made by a test")
    back = read_volume(tmp_path / "a.nii.gz", KEY)
    np.testing.assert_array_equal(back.data, voxels)
    np.testing.assert_allclose(back.affine, affine)


def test_the_header_says_what_it_is_in_mm_with_both_forms(tmp_path: Path, voxels: np.ndarray) -> None:
    write_volume(tmp_path / "a.nii.gz", Volume(voxels, np.diag([1.0, 2, 3, 1])), "made by a test" + "x" * 200)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header["descrip"].item().decode().startswith("made by a test")
    assert header.get_xyzt_units()[0] == "mm"
    assert header["sform_code"] == header["qform_code"] == 1
    np.testing.assert_allclose(header.get_qform(), np.diag([1.0, 2, 3, 1]))


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path, voxels: np.ndarray) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, Volume(voxels, np.eye(4)), "same")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    time_of_writing = (tmp_path / "a.nii.gz").read_bytes()[4:8]
    assert time_of_writing == b"\0" * 4


def test_whole_numbers_are_stored_in_two_bytes_and_others_are_not(tmp_path: Path, voxels: np.ndarray) -> None:
    write_volume(tmp_path / "whole.nii", Volume(np.rint(voxels), np.eye(4)), "")
    write_volume(tmp_path / "real.nii", Volume(voxels, np.eye(4)), "")
    write_volume(tmp_path / "large.nii", Volume(np.rint(voxels) * 1000, np.eye(4)), "")
    types = [nib.load(tmp_path / name).get_data_dtype() for name in ("whole.nii", "real.nii", "large.nii")]
    assert types == [np.int16, np.float32, np.float32]


def test_writing_leaves_no_temporary_file(tmp_path: Path, voxels: np.ndarray) -> None:
    write_volume(tmp_path / "deep" / "a.nii.gz", Volume(voxels, np.eye(4)), "")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.nii.gz"]


@given(axes=st.permutations([0, 1, 2]), signs=st.tuples(*[st.sampled_from([-1, 1])] * 3))
def test_every_orientation_is_turned_to_ras_without_moving_a_voxel(
    tmp_path_factory: pytest.TempPathFactory, axes: list[int], signs: tuple[int, int, int]
) -> None:
    affine = np.zeros((4, 4))
    affine[axes, [0, 1, 2]] = np.array(signs) * [1.0, 2.0, 3.0]
    affine[:, 3] = 10, -20, 30, 1
    data = np.zeros((17, 18, 19), np.float32)
    data[3, 5, 7] = 1
    path = save(tmp_path_factory.mktemp("orientation") / "a.nii", data, affine)
    volume = read_volume(path, KEY)
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S")
    here = volume.affine @ [*np.argwhere(volume.data == 1)[0], 1]
    np.testing.assert_allclose(here, affine @ [3, 5, 7, 1])


def test_a_trailing_singleton_is_dropped(tmp_path: Path, voxels: np.ndarray) -> None:
    assert read_volume(save(tmp_path / "a.nii", voxels[..., None]), KEY).data.shape == (17, 18, 19)


def test_a_time_series_is_refused(tmp_path: Path, voxels: np.ndarray) -> None:
    error = refusal(save(tmp_path / "a.nii", np.stack([voxels, voxels], -1)))
    assert "4 dimensions" in error.got


def test_a_truncated_compressed_file_is_refused(tmp_path: Path, voxels: np.ndarray) -> None:
    path = save(tmp_path / "DOE_JANE.nii.gz", voxels)
    path.write_bytes(path.read_bytes()[:-2000])
    assert "cannot be read" in refusal(path).what


def test_one_wrong_byte_anywhere_in_a_compressed_file_is_noticed(tmp_path: Path, voxels: np.ndarray) -> None:
    path = save(tmp_path / "a.nii.gz", voxels)
    whole = path.read_bytes()
    for position in range(20, len(whole), 997):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        assert "cannot be read" in refusal(path).what


def test_a_truncated_plain_file_is_refused(tmp_path: Path, voxels: np.ndarray) -> None:
    path = save(tmp_path / "a.nii", voxels)
    path.write_bytes(path.read_bytes()[:-2000])
    assert "cannot be read" in refusal(path).what


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"not an image", mtime=0)])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    refusal(tmp_path / "a.nii.gz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / "nowhere.nii.gz")


def test_colours_are_refused(tmp_path: Path) -> None:
    colour = np.zeros((17, 18, 19), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    refusal(save(tmp_path / "a.nii", colour))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_refused(tmp_path: Path, voxels: np.ndarray, value: float) -> None:
    voxels[1, 2, 3] = value
    assert "1 NaN or infinite" in refusal(save(tmp_path / "a.nii", voxels)).got


def test_numbers_beyond_single_precision_are_refused(tmp_path: Path, voxels: np.ndarray) -> None:
    refusal(save(tmp_path / "a.nii", voxels.astype(np.float64) * 1e40))


def test_a_constant_image_is_refused(tmp_path: Path) -> None:
    assert "7 everywhere" in refusal(save(tmp_path / "a.nii", np.full((17, 18, 19), 7, np.float32))).got


def test_a_singular_affine_is_refused(tmp_path: Path, voxels: np.ndarray) -> None:
    image = nib.Nifti1Image(voxels, np.eye(4))
    image.header["srow_x"] = image.header["srow_y"]
    image.header["sform_code"] = 1
    flat = nib.Nifti1Image(voxels, None, image.header)
    flat.header["qform_code"] = 0
    (tmp_path / "a.nii").write_bytes(flat.to_bytes())
    assert "singular" in refusal(tmp_path / "a.nii").got


def test_too_few_slices_are_refused_unless_slices_are_meant(tmp_path: Path, voxels: np.ndarray) -> None:
    path = save(tmp_path / "a.nii", voxels[:, :, :1])
    assert "17 x 18 x 1" in refusal(path).got
    assert read_volume(path, KEY, minimum_slices=1).data.shape == (17, 18, 1)
