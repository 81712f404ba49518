"""A small valid delivery of every kind of source, made of what the archives are known to send."""

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from cohortsmith.config.study import Columns, Source, StudyConfig
from cohortsmith.imaging.phantom.delivery import adni, aibl, oasis1
from cohortsmith.imaging.phantom.delivery.adni_traps import ADNI_TRAPS
from cohortsmith.imaging.phantom.delivery.aibl_traps import AIBL_TRAPS
from cohortsmith.imaging.phantom.delivery.dicom_traps import DICOM_TRAPS, study_files
from cohortsmith.imaging.phantom.delivery.files import Files, nifti_file
from cohortsmith.imaging.phantom.delivery.oasis1_traps import OASIS1_TRAPS
from cohortsmith.imaging.volume import Volume

SOURCES: tuple[Source, ...] = ("adni", "aibl", "oasis1", "dicom", "nifti", "slices", "bids")
_PEOPLE = 6
_VOLUME = Volume(np.arange(16 * 17 * 18, dtype=np.float32).reshape(16, 17, 18) % 999, np.diag([9.0, 10.0, 11.0, 1.0]))
_TABLE = "tables/clinical.csv"


def deliver(source: Source, root: Path, rng: random.Random) -> StudyConfig:
    """Write a delivery of a few people below `root` and give the study that reads it."""
    files, settings = _MAKERS[source](rng)
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    settings = {"path": "", "table": "tables", **settings}
    settings["table"] = str(root / settings["table"]) if settings["table"] else ""
    study = StudyConfig(
        name="fuzz", source=source, labels=("CN", "AD"), **settings | {"path": str(root / settings["path"])}
    )
    if source == "dicom" and rng.random() < 0.35:
        return study.model_copy(update={"path": str(_packed(root, rng))})
    return study


def _subjects(traps: Any, rng: random.Random) -> list[Any]:
    chosen = rng.sample(traps, min(_PEOPLE, len(traps)))
    return [subject for trap in chosen for subject in trap.subjects]


def _adni(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    subjects, interface = _subjects(ADNI_TRAPS, rng), rng.choice(["until_2024", "since_2024"])
    files = adni.tables(subjects, interface)
    for subject in subjects:
        for image in subject.images:
            files |= _adni_image(subject, image, interface)
    return files, {"path": "ADNI"}


@cache
def _adni_image(subject: adni.Subject, image: adni.Image, interface: adni.Interface) -> Files:
    return adni.image_files(subject, image, _VOLUME, interface)


def _aibl(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    subjects = _subjects(AIBL_TRAPS, rng)
    files = aibl.tables(subjects)
    for subject in subjects:
        for image in subject.images:
            files |= _aibl_image(subject, image)
    return files, {"path": "AIBL"}


@cache
def _aibl_image(subject: aibl.Subject, image: aibl.Image) -> Files:
    return aibl.image_files(subject, image, _VOLUME)


def _oasis1(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    sessions = _subjects(OASIS1_TRAPS, rng)
    files = {f"tables/{name}": content for name, content in oasis1.clinical_table(sessions).items()}
    whole = rng.random() < 0.1  # a whole pair has 21 MB
    for session in sessions:
        for name, content in _oasis1_model().items():
            files[f"discs/{name.replace('MODEL', session.identifier)}"] = content if whole else content[:348]
        whole = False
    return files, {"path": "discs"}


@cache
def _oasis1_model() -> Files:
    return oasis1.session_files(oasis1.OasisSession("MODEL"), _VOLUME)


def _dicom(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    files: Files = {}
    for number, trap in enumerate(rng.sample(DICOM_TRAPS, 2)):
        files |= {f"{number}/{name}": content for name, content in _dicom_study(DICOM_TRAPS.index(trap)).items()}
    if rng.random() < 0.5:
        return files, {"table": ""}
    files["clinical.csv"] = b"participant_id,session_id,diagnosis,age,sex,where\nA,1,CN,70,F,0/DICOM\nB,1,AD,71,M,1\n"
    return files, {"table": "clinical.csv", "columns": Columns(file="where")}


@cache
def _dicom_study(number: int) -> Files:
    return study_files(DICOM_TRAPS[number], pixels=16)


def _packed(root: Path, rng: random.Random) -> Path:
    place = root / f"all.tar{rng.choice(['', '.gz', '.xz'])}"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=f"w:{place.suffix.removeprefix('.').removeprefix('tar')}") as archive:
        for file in sorted(root.rglob("*.dcm")) + sorted(root.rglob("IM*")):
            archive.add(file, file.relative_to(root).as_posix())
        for name in rng.sample(["/absolute/x", "../../x", "a\nb", "\udcff\udc80", "=1+1", "x" * 300, ".", ""], 3):
            archive.addfile(_member(name, rng), io.BytesIO(b"\0" * 10_000))
    place.write_bytes(content.getvalue())
    return place


def _member(name: str, rng: random.Random) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = rng.choice([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
    member.linkname = rng.choice(["", "/etc/passwd", "../..", name])
    member.size = rng.choice([0, 500, 10_000]) if member.isreg() else 0
    return member


def _rows(*names: str) -> bytes:
    values = ("CN,70.5,F,29,site 1", "AD,81,M,21,Zürich", "CN,66,f,30,", "AD,n/a,2,,S2")
    rows = [f"{name},bl,{value}" for name, value in zip(names, values, strict=False)]
    return "\n".join(["participant_id,session_id,diagnosis,age,sex,mmse,site", *rows, ""]).encode()


_COLUMNS = Columns(mmse="mmse", site="site")


def _nifti(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    image = nifti_file(_VOLUME)
    compressed = bytes(nib.Nifti1Image(_VOLUME.data, _VOLUME.affine).to_bytes())
    files = {
        "in/A_bl.nii": image,
        "in/deep/B.nii": image,
        "in/C.nii.gz": gzip.compress(compressed, 1, mtime=0),
        _TABLE: _rows(*"ABCD"),
    }
    files["in/A_bl.json"] = b'{"EchoTime": 0.003, "Manufacturer": "Siemens"}'
    return files, {"path": "in", "table": _TABLE, "columns": _COLUMNS}


def _slices(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    content = io.BytesIO()
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(content, "png")
    files = {f"in/{name}.png": content.getvalue() for name in ("A_bl", "B", "C_plane-axial_T1w")}
    return {**files, _TABLE: _rows(*"ABCD")}, {"path": "in", "table": _TABLE, "columns": _COLUMNS}


def _bids(rng: random.Random) -> tuple[Files, dict[str, Any]]:
    image = nifti_file(_VOLUME)
    files = {
        "sub-A/anat/sub-A_T1w.nii": image,
        "sub-A/anat/sub-A_run-2_T1w.nii": image,
        "sub-A/anat/sub-A_T1w.json": b'{"EchoTime": 0.003}',
        "sub-B/ses-bl/anat/sub-B_ses-bl_T1w.nii": image,
        "sub-B/ses-m6/anat/sub-B_ses-m6_T1w.nii": image,
        "sub-B/sub-B_sessions.tsv": b"session_id\tage\nses-bl\t70\nses-m6\t70.5\n",
        "participants.tsv": _rows(*"ABCD").replace(b",", b"\t"),
    }
    return files, {"table": "", "columns": _COLUMNS}


_MAKERS: dict[str, Callable[[random.Random], tuple[Files, dict[str, Any]]]] = {
    "adni": _adni,
    "aibl": _aibl,
    "oasis1": _oasis1,
    "dicom": _dicom,
    "nifti": _nifti,
    "slices": _slices,
    "bids": _bids,
}
