"""Canaries: what stands in headers, unused cells, and names of files and folders comes out nowhere.

Manufacturer and ManufacturersModelName are kept on purpose (`imaging.bids.SIDECAR_FIELDS`) and carry no canary here.
"""

import gzip
import os
import re
import subprocess
import sys
from datetime import datetime
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.volume import Volume

ROOT = Path(__file__).resolve().parents[1]
KEDRO = Path(sys.executable).with_name("kedro")
SHAPE = (20, 22, 32)
CANARY = re.compile(rb"QZ[0-9A-Z]{4}|1\.2\.826\.0\.99\.|19111213|1911-12-13|141516", re.IGNORECASE)
BY_REPRESENTATION = {"DA": "19111213", "TM": "141516.17", "DT": "19111213141516"}
TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UI", *BY_REPRESENTATION)
# Without these there is no image, or no T1-weighted series of it.
NEEDED = {
    *("SOPClassUID", "Modality", "ImageType", "ScanningSequence", "SequenceVariant", "MRAcquisitionType"),
    *("PatientPosition", "Manufacturer", "ManufacturerModelName", "SeriesDescription", "ContrastBolusAgent"),
    *("SpecificCharacterSet", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}


def canary(tag: int, representation: str) -> str:
    text = f"1.2.826.0.99.{tag}" if representation == "UI" else f"QZ{tag:08X}"
    return BY_REPRESENTATION.get(representation, text)


def all_texts() -> dict[int, tuple[str, str]]:
    """Give tag -> representation and canary, for every text element that pydicom knows outside the pixel groups."""
    known = {tag: (entry[0], entry[4]) for tag, entry in DicomDictionary.items() if 0x0008 <= tag >> 16 < 0x7FE0}
    return {
        tag: (representation, canary(tag, representation))
        for tag, (representation, keyword) in known.items()
        if representation in TEXTS and keyword not in NEEDED and tag >> 16 not in (0x0028, 0x5400, 0x6000)
    }


def marked(content: bytes, number: int) -> bytes:
    """Put a canary into every text of a header, into private blocks, and into sequences of both kinds."""
    image, item = pydicom.dcmread(BytesIO(content)), Dataset()
    for tag, (representation, text) in all_texts().items():
        image.add_new(tag, representation, text)
        item.add_new(tag, representation, text)
    # Leading zeros are not allowed: pydicom would repeat such identifiers in warnings.
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.826.0.99.01", f"1.2.826.0.99.02.{image.SeriesNumber}"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.99.03.{image.SeriesNumber}.{number}"
    image.SeriesDescription = "t1_mprage QZSERIES"
    private = image.private_block(0x0099, "QZPRIVATE", create=True)
    private.add_new(1, "LO", "QZPRIVATELO")
    private.add_new(2, "UN", b"QZPRIVATEUN ")
    nested = [item] * (number < 2)  # thousands of elements more in every file only cost time
    image.OtherPatientIDsSequence = nested
    private.add_new(3, "SQ", nested)
    result = BytesIO()
    image.save_as(result, enforce_file_format=True)
    return result.getvalue()


def write_dicom_study(root: Path) -> Path:
    """Two visits of one patient, the second without voxels; give the table."""
    voxels = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.float32)
    for name, number in {"good": 3, "bad": 4}.items():
        series = Series("QZPATIENT", datetime(1911, 12, 13), number, "t1_mprage")
        place = root / f"QZFOLDER^{name}" / "QZDEEP"
        place.mkdir(parents=True)
        for index, content in enumerate(series_files(series, Volume(voxels, np.eye(4)))):
            (place / f"QZFILE{index}.dcm").write_bytes(marked(content, index))
    for file in (root / "QZFOLDER^bad" / "QZDEEP").iterdir():
        image = pydicom.dcmread(file)
        del image.PixelData
        image.StudyInstanceUID = "1.2.826.0.99.07"
        image.SpecificCharacterSet = "QZCHARSET"
        image.save_as(file)
    table = root.parent / "QZTABLE.csv"
    rows = [f"A,{visit},CN,95,F,QZFOLDER^{name},QZCELL{visit},QZ NAME" for visit, name in ((1, "good"), (2, "bad"))]
    table.write_text("\n".join(["id,visit,dx,age,sex,where,QZCOLUMN,name", *rows]) + "\n")
    return table


def write_nifti_study(root: Path) -> Path:
    """A scan with canaries in its header, extension and sidecar, and one that cannot be read; give the table."""
    image = nib.Nifti1Image(np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.int16), np.eye(4))
    image.header["descrip"], image.header["aux_file"], image.header["db_name"] = b"QZDESCRIP", b"QZAUXFILE", b"QZDBNAME"
    image.header["intent_name"] = b"QZINTENT"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"QZEXTENSION"))
    place = root / "QZFOLDER"
    place.mkdir(parents=True)
    nib.save(image, place / "QZSCAN.nii")
    (place / "QZSCAN.json").write_text('{"EchoTime": 0.003, "PatientName": "QZNAME", "AcquisitionTime": "141516"}')
    (place / "QZBAD.nii").write_bytes(b"QZBROKEN")
    (place / "QZOTHER.nii").write_bytes(b"QZUNNAMED")
    table = root.parent / "QZTABLE.csv"
    rows = [f"A{number},1,CN,95,F,QZFOLDER/{name}.nii,QZCELL,QZ NAME" for number, name in ((1, "QZSCAN"), (2, "QZBAD"))]
    table.write_text("\n".join(["id,visit,dx,age,sex,where,QZCOLUMN,name", *rows]) + "\n")
    return table


@pytest.mark.slow
@pytest.mark.parametrize(("source", "write"), [("dicom", write_dicom_study), ("nifti", write_nifti_study)])
def test_no_canary_leaves_the_ingest(tmp_path, source, write):
    home, root = tmp_path / "home", tmp_path / "QZROOT"
    root.mkdir()
    settings = {"source": source, "path": root, "table": write(root), "name": "canary"}
    columns = {"participant": "id", "session": "visit", "diagnosis": "dx", "age": "age", "sex": "sex", "file": "where"}
    settings |= {f"columns.{name}": column for name, column in columns.items()}
    assert CANARY.search(b"".join(read_plainly(path) for path in root.rglob("*") if path.is_file()))

    finished = subprocess.run(
        [KEDRO, "run", "--env", "dicom", "--pipelines", "ingest", "--params"]
        + [",".join(f"study.{name}={value}" for name, value in settings.items())],
        cwd=ROOT,
        env={**os.environ, "COHORTSMITH_HOME": str(home)},
        capture_output=True,
        check=False,
        timeout=300,
    )

    assert finished.returncode == 0, finished.stderr[-3000:].decode()
    written = {str(path.relative_to(home)): read_plainly(path) for path in home.rglob("*") if path.is_file()}
    assert len([name for name in written if name.endswith("_T1w.nii.gz")]) == 1
    assert any(name.endswith("mlflow.db") for name in written)
    assert b"scan.unusable" in written["data/02_intermediate/canary/training/ledger.tsv"]
    assert b"\t90\t" in next(text for name, text in written.items() if name.endswith("bids/participants.tsv"))
    texts = {**written, "log": finished.stdout + finished.stderr, "names": " ".join(written).encode()}
    assert [(name, found[0]) for name, text in texts.items() if (found := CANARY.search(text))] == []


def read_plainly(path: Path) -> bytes:
    """Read a file as it is, or as what it was before compression; of an image the header, for voxels spell anything."""
    content = path.read_bytes()
    return gzip.decompress(content)[:352] if path.name.endswith(".nii.gz") else content
