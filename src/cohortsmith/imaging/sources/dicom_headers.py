"""Files of a DICOM folder or archive, and the header fields that the choice of a series needs."""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, NamedTuple

import pydicom
from pydicom.errors import InvalidDicomError

from cohortsmith.errors import StudyError

_TAGS = [
    *("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "StudyDate", "StudyTime", "SeriesNumber", "Modality"),
    *("SeriesDescription", "ProtocolName", "NumberOfFrames", "MRAcquisitionType", "ContrastBolusAgent"),
    *("EchoTime", "RepetitionTime", "Rows"),
]


class Header(NamedTuple):
    """One file: its name inside the folder or archive, and its header without pixels."""

    name: str
    fields: Any


def _drain(stream: Any) -> None:
    # tarfile takes a damaged header for the end of the archive; the checksum beyond tells the difference.
    while stream.read(1 << 22):
        pass


def is_archive(path: Path) -> bool:
    """Say whether a source is an archive: a file, not a folder."""
    return path.is_file()


def read_headers(path: Path) -> Iterator[Header]:
    """Yield the header of every DICOM file, in the order of the names; other files are passed over."""
    for name, stream in files(path):
        with stream as content:
            header = _header(content)
        if header is not None:
            yield Header(name, header)


def _header(content: IO[bytes]) -> Any:
    try:
        header = pydicom.dcmread(content, stop_before_pixels=True, specific_tags=_TAGS)
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError, NotImplementedError):
        return None
    return header if "SeriesInstanceUID" in header else None


def files(path: Path) -> Iterator[tuple[str, AbstractContextManager[IO[bytes]]]]:
    """Yield name and open content of every file; archives are read once, from front to back."""
    if not is_archive(path):
        names = sorted(file for file in path.rglob("*") if file.is_file())
        yield from ((file.relative_to(path).as_posix(), file.open("rb")) for file in names)
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    # Read here, so that damage is met here and not where the content is used.
                    yield member.name.removeprefix("./"), io.BytesIO(content.read())
            _drain(archive.fileobj)
    except (tarfile.ReadError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise StudyError(
            "the DICOM archive cannot be read to its end",
            where="study.path",
            got=type(error).__name__,
            expected="a whole .tar, .tar.gz, .tar.bz2 or .tar.xz archive",
            remedy="copy the archive again",
        ) from None
