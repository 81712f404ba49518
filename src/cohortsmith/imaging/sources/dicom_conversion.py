"""One DICOM series turned into a volume by dcm2niix, leaving the person behind."""

import io
import subprocess
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import dcm2niix
import pydicom
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cohortsmith.errors import CohortsmithError, ScanRejected
from cohortsmith.imaging.bids import read_sidecar
from cohortsmith.imaging.sources.candidates import is_plain_file
from cohortsmith.imaging.sources.dicom_headers import (
    IDENTITY,
    files_in_archive,
    is_archive,
    is_bare,
    leads_out,
    read_header,
)
from cohortsmith.imaging.sources.dicom_series import digest_of, instance_of
from cohortsmith.imaging.sources.inventory import Converted, Visit
from cohortsmith.imaging.volume import read_volume

_SYNTAXES = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
_TIME_LIMIT = 600  # seconds; a series takes a few


def convert(visit: Visit) -> Converted:
    """Convert a visit's series; raise `ScanRejected` if dcm2niix cannot.

    Only voxels, geometry and the fields of `bids.SIDECAR_FIELDS` survive; working copies are removed.
    """
    with TemporaryDirectory() as scratch:
        gathered, converted = Path(scratch, "series"), Path(scratch, "nifti")
        gathered.mkdir()
        converted.mkdir()
        try:
            _gather_all(visit, gathered)
        except CohortsmithError:
            raise
        except Exception as error:  # pydicom raises errors of every kind on bytes that are no DICOM
            raise _refused(visit.key, type(error).__name__) from None
        image = _run_dcm2niix(gathered, converted, visit.key)
        return Converted(read_volume(image, visit.key), read_sidecar(image.with_suffix(".json")))


def _gather_all(visit: Visit, folder: Path) -> None:
    place = Path(visit.source)
    if is_archive(place):
        _gather_from_archive(place, visit.series, folder)
        return
    for number, file in enumerate(files_of(visit)):
        _gather(file, folder / f"{number:06d}.dcm")


def files_of(visit: Visit) -> list[Path]:
    """List the DICOM files of a visit's series in a folder, each image once: copies after the first name are left out.

    Without a series all DICOM files that fit the pattern `visit.files` belong to it.
    """
    root = Path(visit.source)
    candidates = sorted(file for folder in visit.folders or ("",) for file in _files_in(root / folder, visit))
    images: dict[str, Path] = {}
    for file in candidates:
        if leads_out(root, file):
            continue
        with file.open("rb") as content:
            header = read_header(content, IDENTITY)
        if header is not None and (not visit.series or digest_of(header) == visit.series):
            images.setdefault(instance_of(header, str(file)), file)
    return list(images.values())


def _files_in(folder: Path, visit: Visit) -> Iterator[Path]:
    places = folder.iterdir() if visit.folders else folder.rglob("*")
    return (file for file in places if fnmatchcase(file.name, visit.files or "*") and is_plain_file(file))


def _gather(file: Path, target: Path) -> None:
    with file.open("rb") as content:
        bare = is_bare(content)
    if bare:
        _add_preamble(file, target)
    else:
        target.symlink_to(file.resolve())


def _add_preamble(file: Path, target: Path) -> None:
    # dcm2niix passes over files without preamble.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings repeat what stands in the header
        image = pydicom.dcmread(file, force=True)
        syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
        if syntax is None:
            image.ensure_file_meta()
            implicit, little = image.original_encoding
            image.file_meta.TransferSyntaxUID = _SYNTAXES[bool(implicit), bool(little)]
        image.save_as(target, enforce_file_format=True)


def _gather_from_archive(place: Path, digest: str, folder: Path) -> None:
    images: set[str] = set()
    for number, (name, content) in enumerate(files_in_archive(place)):
        header = read_header(io.BytesIO(content), IDENTITY)
        if header is None or digest_of(header) != digest or instance_of(header, name) in images:
            continue
        images.add(instance_of(header, name))
        copy = folder / f"{number:06d}.dcm"
        copy.write_bytes(content)
        if is_bare(io.BytesIO(content)):
            _add_preamble(copy, copy)


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
        raise _refused(key, f"dcm2niix: exit code {code}, {len(images)} volumes")
    return whole[0]


def _refused(key: str, got: str) -> ScanRejected:
    return ScanRejected(
        "DICOM series cannot be converted",
        where=key,
        got=got,
        expected="one whole volume",
        remedy="export the series again; slices may be missing",
    )
