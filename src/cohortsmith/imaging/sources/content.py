"""What a scan is made of, as one hash: names, folders and dates of its files do not count."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cohortsmith.errors import ScanRejected
from cohortsmith.imaging.bids import sidecar_path
from cohortsmith.imaging.sources import dicom_conversion
from cohortsmith.imaging.sources.dicom_series import hash_contents
from cohortsmith.imaging.sources.inventory import Visit


def hash_scan(visit: Visit) -> str:
    """Hash exactly the files that a visit's scan is converted from; raise `ScanRejected` if one cannot be read."""
    if visit.content:
        return visit.content
    try:
        return hash_contents(_digest(file) for file in _files(visit))
    except OSError as error:
        raise ScanRejected(
            "scan cannot be read",
            where=visit.key,
            got=type(error).__name__,
            expected="files that can be read",
            remedy="check the rights and the disk",
        ) from None


def _digest(file: Path) -> bytes:
    if not file.is_file():
        raise OSError("a pipe or a device never ends")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _files(visit: Visit) -> Iterable[Path]:
    place = Path(visit.source)
    if visit.series or place.is_dir():
        return dicom_conversion.files_of(visit)
    # An Analyze image has its header, a NIfTI image its sidecar beside it.
    beside = (place.with_suffix(".hdr"), sidecar_path(place))
    return [place, *(file for file in beside if file != place and file.is_file())]
