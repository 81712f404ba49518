"""Canaries: what stands in headers, unused cells, and names of files and folders comes out nowhere.

Manufacturer and ManufacturersModelName are kept on purpose (`imaging.bids.SIDECAR_FIELDS`) and carry no canary here.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from datetime import datetime
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import yaml
from nilearn.datasets import load_mni152_template
from PIL import Image
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.volume import Volume

pydicom.config.logger.disabled = True  # it repeats every canary
ROOT = Path(__file__).resolve().parents[1]
KEDRO = Path(sys.executable).with_name("kedro")
SHAPE = (20, 22, 32)
CANARY = re.compile(rb"QZ[0-9A-Z]{4}|1\.2\.826\.0\.99\.|19111213|1911-12-13|141516", re.IGNORECASE)
PNG, EMBEDDED = b"\x89PNG\r\n", re.compile(rb"base64,([A-Za-z0-9+/]+={0,2})")
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
    """Three visits of one patient, the second without voxels, the third without a session; give the table."""
    head = load_mni152_template(resolution=5)
    volume = Volume(np.asarray(head.dataobj, np.float32) * 900, head.affine)
    for name, number in {"good": 3, "bad": 4, "lost": 5}.items():
        series = Series("QZPATIENT", datetime(1911, 12, 13), number, "t1_mprage")
        place = root / f"QZFOLDER^{name}" / "QZDEEP"
        place.mkdir(parents=True)
        for index, content in enumerate(series_files(series, volume)):
            (place / f"QZFILE{index}.dcm").write_bytes(marked(content, index))
    in_another_study(root / "QZFOLDER^lost" / "QZDEEP", "1.2.826.0.99.08")
    in_another_study(root / "QZFOLDER^bad" / "QZDEEP", "1.2.826.0.99.07", without="PixelData")
    table = root.parent / "QZTABLE.csv"
    rows = [f"A,{visit},CN,95,F,QZFOLDER^{name},QZCELL{visit},QZ NAME" for visit, name in ((1, "good"), (2, "bad"))]
    rows += [
        "..,QZSESSION,QZDIAGNOSIS,19111213,QZSEX,QZFOLDER^lost,QZCELL,QZ NAME",
        "B,1,QZ words,70,F,QZNOWHERE,QZCELL,QZ",
    ]
    table.write_text("\n".join(["id,visit,dx,age,sex,where,QZCOLUMN,name", *rows]) + "\n")
    return table


def in_another_study(folder: Path, study: str, without: str = "") -> None:
    """Give files another study and a character set that does not exist; take an element away."""
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        image.pop(without, None)
        image.StudyInstanceUID = study
        image.SpecificCharacterSet = "QZCHARSET"
        image.save_as(file)


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


def run_study(tmp_path: Path, source: str, table: Path, root: Path, *arguments: str) -> dict[str, bytes]:
    """Run Kedro on a study at the coarsest settings; give all that it wrote and said, by name."""
    configuration, home = tmp_path / "conf", tmp_path / "home"
    shutil.copytree(ROOT / "conf", configuration, ignore=shutil.ignore_patterns("local"))
    names = {"participant": "id", "session": "visit", "diagnosis": "dx", "age": "age", "sex": "sex", "file": "where"}
    settings = {
        "study": {
            **{"name": "canary", "simulated": False, "source": source, "path": str(root), "table": str(table)},
            **{"external_name": "", "external_path": "", "labels": ["CN", "AD"], "columns": names},
            "stages": ["ingest", "prepare", "report"],
        },
        "preparation": {
            "resolution": 4.0,
            "bias_field": {"resolution": 10.0, "iterations": [10]},
            "registration": {"iterations": [50, 20]},
        },
    }
    (configuration / "canary").mkdir()
    (configuration / "canary" / "parameters.yml").write_text(yaml.safe_dump(settings))
    (configuration / "local").mkdir()
    finished = subprocess.run(
        [KEDRO, "run", "--conf-source", configuration, "--env", "canary", *arguments],
        cwd=ROOT,
        env={**os.environ, "COHORTSMITH_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        timeout=900,
    )
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-3000:].decode()
    written = {str(path.relative_to(home)): read_plainly(path) for path in home.rglob("*") if path.is_file()}
    return {**written, "log": finished.stdout + finished.stderr, "names": " ".join(written).encode()}


def require_canaries(root: Path) -> None:
    """See that the delivery is full of them."""
    assert CANARY.search(b"".join(read_plainly(path) for path in root.rglob("*") if path.is_file()))


def canaries(texts: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [(name, found[0]) for name, text in texts.items() if (found := CANARY.search(text))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_canary_of_dicom_files_leaves_a_run_to_the_report(tmp_path):
    root = tmp_path / "QZROOT"
    root.mkdir()
    table = write_dicom_study(root)
    require_canaries(root)

    texts = run_study(tmp_path, "dicom", table, root)

    ledger = texts["data/02_intermediate/canary/training/ledger.tsv"]
    assert b"scan.unusable" in ledger and b"table.unusable_identifier" in ledger and b"files.missing" in ledger
    assert b"\t90\t" in next(text for name, text in texts.items() if name.endswith("bids/participants.tsv"))
    endings = ("report.html", "quality.html", "summary.txt", "mlflow.db")
    assert [one for one in endings if not any(name.endswith(one) for name in texts)] == []
    assert len([name for name in texts if name.startswith("data/03_primary") and name.endswith("_T1w.nii.gz")]) == 1
    assert [name for name in texts if name.startswith("mlruns/") and name.endswith("report.html")] != []
    assert canaries(texts) == []


@pytest.mark.slow
def test_no_canary_of_nifti_files_leaves_the_ingest(tmp_path):
    root = tmp_path / "QZROOT"
    root.mkdir()
    table = write_nifti_study(root)
    require_canaries(root)

    texts = run_study(tmp_path, "nifti", table, root, "--pipelines", "ingest")

    assert len([name for name in texts if name.endswith("_T1w.nii.gz")]) == 1
    assert b"scan.unusable" in texts["data/02_intermediate/canary/training/ledger.tsv"]
    assert canaries(texts) == []


def read_plainly(path: Path) -> bytes:
    """Read a file as it is, or as what it was before compression; of an image the header, for voxels spell anything."""
    content = path.read_bytes()
    if path.name.endswith(".nii.gz"):
        return gzip.decompress(content)[:352]
    return without_pixels(content) if content.startswith(PNG) else EMBEDDED.sub(embedded, content)


def without_pixels(picture: bytes) -> bytes:
    """Give what a picture says beside its pixels."""
    return repr(Image.open(BytesIO(picture)).info).encode()


def embedded(found: re.Match[bytes]) -> bytes:
    """Give what stands in a page's picture; of anything else that is encoded there the content."""
    content = b64decode(found[1])
    return without_pixels(content) if content.startswith(PNG) else content
