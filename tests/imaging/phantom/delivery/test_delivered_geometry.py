"""Whatever the layout, a point of the head lies where it lay in the scanner: bright landmarks keep their millimetres."""

import subprocess
import tarfile
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from cohortsmith.config.study import StudyConfig
from cohortsmith.imaging.phantom.delivery import adni, adni_traps, aibl, aibl_traps, dicom, oasis1
from cohortsmith.imaging.phantom.delivery.dicom_traps import MOMENT, Sent, sent_files
from cohortsmith.imaging.phantom.delivery.files import Files, write_files
from cohortsmith.imaging.sources.reader import convert_visit, read_source
from cohortsmith.imaging.volume import Volume

# World mm, brightest first; no two alike on any axis, so that a swapped or mirrored axis cannot hide.
LANDMARKS = np.array([[-31.0, 14.0, 9.0], [22.0, -27.0, -12.0], [5.0, 33.0, -34.0]])
BRIGHTNESS = (4000.0, 2000.0, 1000.0)
WIDTH = 4.0  # standard deviation, mm
VOXEL = np.array([2.6, 2.8, 3.0])
SHAPE = (38, 40, 36)
ORIENTATIONS = ("RAS", "LAS", "PSR", "ASL", "PIR")


def head_with_landmarks(codes: str, tilt: tuple[float, float, float]) -> Volume:
    """Lay blobs of known centres on a grid that is stored along `codes` and tilted by angles (degrees)."""
    axes, signs = (axcodes2ornt(tuple(codes))[:, column] for column in (0, 1))
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[axes.astype(int), range(3)] = signs * VOXEL
    affine[:3, :3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ affine[:3, :3]
    affine[:3, 3] = [3, -2, 1] - affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    points = np.tensordot(affine[:3, :3], np.indices(SHAPE), 1) + affine[:3, 3].reshape(3, 1, 1, 1)
    blobs = [
        bright * np.exp(-((points - place.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) / (2 * WIDTH**2))
        for bright, place in zip(BRIGHTNESS, LANDMARKS, strict=True)
    ]
    return Volume(np.rint(np.sum(blobs, axis=0)).astype(np.float32), affine)


def landmarks_of(volume: Volume) -> NDArray[np.float64]:
    """Find the blobs without knowing where they should be: centres of mass (3, 3) in world mm, brightest first."""
    parts, count = ndimage.label(volume.data > 20)
    order = np.argsort(-ndimage.sum(volume.data, parts, range(1, count + 1)))[:3] + 1
    centres = np.array(ndimage.center_of_mass(volume.data, parts, order))
    return centres @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def processed_adni(volume: Volume) -> tuple[Files, dict[str, str]]:
    return _adni(adni_traps.N3_AND_SCALED.subjects[0], volume)


def original_adni(volume: Volume) -> tuple[Files, dict[str, str]]:
    return _adni(adni_traps.ONLY_RAW.subjects[0], volume)


def _adni(subject: adni.Subject, volume: Volume) -> tuple[Files, dict[str, str]]:
    files = adni.tables([subject])
    for image in subject.images:
        files |= adni.image_files(subject, image, volume)
    return files, {"source": "adni", "path": "ADNI", "table": "tables"}


def series_of_aibl(volume: Volume) -> tuple[Files, dict[str, str]]:
    subject = aibl_traps.TWO_IMAGES.subjects[0]
    files = aibl.tables([subject]) | aibl.image_files(subject, subject.images[0], volume)
    return files, {"source": "aibl", "path": "AIBL", "table": "tables"}


def session_of_oasis1(volume: Volume) -> tuple[Files, dict[str, str]]:
    session = oasis1.OasisSession("OAS1_9001_MR1")
    return oasis1.clinical_table([session]) | oasis1.session_files(session, volume), {"source": "oasis1", "path": ""}


def series_of_a_hospital(volume: Volume) -> tuple[Files, dict[str, str]]:
    sent = Sent(dicom.Series("PHANTOM001", MOMENT, 3, "T1 MPRAGE"), SHAPE[2], ("ST000001", "ST000002"))
    return sent_files(sent, volume, first=0), {"source": "dicom", "path": ""}


WAYS = [
    *((processed_adni, codes) for codes in ORIENTATIONS),
    *((original_adni, codes) for codes in ("PSR", "LAS")),
    *((series_of_aibl, codes) for codes in ("ASL", "RPI")),
    *((series_of_a_hospital, codes) for codes in ("PIR", "RAS")),
]


def delivered_and_converted(deliver, volume: Volume, root: Path) -> Volume:
    files, where = deliver(volume)
    write_files(root, files)
    table = str(root / where["table"]) if "table" in where else ""
    study = StudyConfig(
        name="geometry", source=where["source"], path=str(root / where["path"]), table=table, labels=("CN", "AD")
    )
    (visit,) = read_source(study).visits
    return convert_visit(visit).volume


@pytest.mark.parametrize(("deliver", "codes"), WAYS)
def test_landmarks_of_an_oblique_scan_keep_their_place(deliver, codes, tmp_path):
    converted = delivered_and_converted(deliver, head_with_landmarks(codes, (12.0, -7.0, 9.0)), tmp_path)

    assert landmarks_of(converted) == pytest.approx(LANDMARKS, abs=0.1)


@pytest.mark.parametrize("deliver", [processed_adni, series_of_aibl])
def test_landmarks_of_a_straight_scan_keep_their_place(deliver, tmp_path):
    converted = delivered_and_converted(deliver, head_with_landmarks("LPS", (0.0, 0.0, 0.0)), tmp_path)

    assert landmarks_of(converted) == pytest.approx(LANDMARKS, abs=0.1)


@pytest.mark.slow
def test_landmarks_of_an_analyze_pair_lie_where_its_header_does_not_say(tmp_path):
    converted = delivered_and_converted(session_of_oasis1, head_with_landmarks("PSR", (12.0, -7.0, 9.0)), tmp_path)
    pair = nib.load(next(tmp_path.rglob("*.hdr")))
    as_the_header_says = Volume(np.asarray(pair.dataobj, dtype=np.float32)[..., 0], pair.affine)

    assert landmarks_of(converted) == pytest.approx(LANDMARKS, abs=0.1)
    assert np.abs(landmarks_of(as_the_header_says) - LANDMARKS).max() > 10


def test_a_header_put_in_the_middle_of_the_grid_would_be_noticed(tmp_path):
    """Clinica replaces the affine by the voxel sizes and half the field of view."""
    converted = delivered_and_converted(processed_adni, head_with_landmarks("PSR", (12.0, -7.0, 9.0)), tmp_path)
    sizes = np.linalg.norm(converted.affine[:3, :3], axis=0)
    centred = np.diag([*sizes, 1.0])
    centred[:3, 3] = -sizes * converted.data.shape / 2

    assert np.abs(landmarks_of(Volume(converted.data, centred)) - LANDMARKS).max() > 1


@pytest.mark.parametrize("deliver", [processed_adni, original_adni])
def test_voxels_are_delivered_and_converted_unchanged(deliver, tmp_path):
    scan = head_with_landmarks("ASL", (12.0, -7.0, 9.0))
    canonical = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))

    converted = delivered_and_converted(deliver, scan, tmp_path)

    np.testing.assert_array_equal(converted.data, canonical.get_fdata())
    assert converted.affine == pytest.approx(canonical.affine, abs=1e-4)


@pytest.mark.slow
@pytest.mark.real_data
def test_a_real_series_lies_where_dcm2niix_says(shared, tmp_path):
    archive = shared / "data" / "dicom_t1w.tar.xz"
    (visit,) = read_source(StudyConfig(name="real", source="dicom", path=str(archive), labels=("CN", "AD"))).visits
    with tarfile.open(archive) as content:
        content.extractall(tmp_path / "series", filter="data")
    (tmp_path / "nifti").mkdir()
    subprocess.run(
        [dcm2niix.bin, "-z", "n", "-f", "%s", "-o", tmp_path / "nifti", tmp_path / "series"],
        capture_output=True,
        check=True,
    )
    (image,) = (tmp_path / "nifti").glob("*.nii")
    expected = nib.as_closest_canonical(nib.load(image))

    converted = convert_visit(visit).volume

    np.testing.assert_array_equal(converted.data, np.squeeze(np.asarray(expected.dataobj, dtype=np.float32)))
    assert converted.affine == pytest.approx(expected.affine, abs=1e-4)


@pytest.mark.parametrize(
    ("folders", "copies"),
    [(("ST000001",), 2), (("ST000001", "ST000002", "ST000003"), 1), (("ST000001", "ST000002"), 3)],
)
def test_a_series_that_was_split_or_sent_again_is_one_whole_volume(folders, copies, tmp_path):
    scan = head_with_landmarks("LPS", (12.0, -7.0, 9.0))
    canonical = nib.as_closest_canonical(nib.Nifti1Image(scan.data, scan.affine))

    def deliver(volume: Volume) -> tuple[Files, dict[str, str]]:
        sent = Sent(dicom.Series("PHANTOM001", MOMENT, 3, "T1 MPRAGE"), SHAPE[2], folders, copies)
        return sent_files(sent, volume, first=0), {"source": "dicom", "path": ""}

    converted = delivered_and_converted(deliver, scan, tmp_path)

    np.testing.assert_array_equal(converted.data, canonical.get_fdata())
    assert converted.affine == pytest.approx(canonical.affine, abs=1e-4)
