"""One DICOM series turned into a volume by dcm2niix, leaving the person behind."""

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dcm2niix
import pydicom

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.bids import kept_fields
from cohortsmith.imaging.sources.dicom_headers import files, is_archive, read_headers
from cohortsmith.imaging.sources.dicom_series import digest_of
from cohortsmith.imaging.sources.inventory import Converted, Visit
from cohortsmith.imaging.volume import read_volume

_TIME_LIMIT = 600  # seconds; a series takes a few


def convert(visit: Visit) -> Converted:
    """Convert a visit's series; raise `ScanRejected` if dcm2niix cannot.

    Only voxels, geometry and the fields of `bids.SIDECAR_FIELDS` survive; working copies are removed.
    """
    with TemporaryDirectory() as scratch:
        gathered, converted = Path(scratch, "series"), Path(scratch, "nifti")
        gathered.mkdir()
        converted.mkdir()
        _gather(Path(visit.source), visit.series, gathered)
        image = _run_dcm2niix(gathered, converted, visit.key)
        return Converted(read_volume(image, visit.key), kept_fields(_sidecar(image)))


def _gather(place: Path, digest: str, folder: Path) -> None:
    (_gather_from_archive if is_archive(place) else _gather_from_folder)(place, digest, folder)


def _gather_from_folder(place: Path, digest: str, folder: Path) -> None:
    for number, header in enumerate(read_headers(place)):
        if digest_of(header.fields) == digest:
            (folder / f"{number:06d}.dcm").symlink_to((place / header.name).resolve())


def _gather_from_archive(place: Path, digest: str, folder: Path) -> None:
    for number, (_, stream) in enumerate(files(place)):
        copy = folder / f"{number:06d}.dcm"
        with stream as content, copy.open("wb") as target:
            shutil.copyfileobj(content, target)
        if _digest(copy) != digest:
            copy.unlink()


def _digest(file: Path) -> str:
    try:
        return digest_of(pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"]))
    except (pydicom.errors.InvalidDicomError, AttributeError, EOFError, OSError, ValueError):
        return ""


def _run_dcm2niix(series: Path, output: Path, key: str) -> Path:
    # What dcm2niix prints may hold names: it is never passed on.
    command = [dcm2niix.bin, "-b", "y", "-ba", "y", "-z", "n", "-f", "scan", "-o", str(output), str(series)]
    try:
        code = subprocess.run(command, capture_output=True, timeout=_TIME_LIMIT, check=False).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refused(key, type(error).__name__) from None
    images = sorted(output.glob("*.nii"))
    whole = [image for image in images if image.name == "scan.nii"] or images
    if code != 0 or len(whole) != 1:
        raise _refused(key, f"exit code {code}, {len(images)} volumes")
    return whole[0]


def _refused(key: str, got: str) -> ScanRejected:
    return ScanRejected(
        "DICOM series cannot be converted",
        where=key,
        got=f"dcm2niix: {got}",
        expected="one whole volume",
        remedy="export the series again; slices may be missing",
    )


def _sidecar(image: Path) -> dict[str, Any]:
    path = image.with_suffix(".json")
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content if isinstance(content, dict) else {}
