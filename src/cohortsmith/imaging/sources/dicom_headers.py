"""Files of a DICOM folder or archive, and the header fields that the choice of a series needs."""

import io
import lzma
import math
import os
import tarfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pydicom

from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.candidates import is_folder, is_plain_file, resolves_outside

# What pydicom warns of repeats what stands in the header.
pydicom.config.logger.disabled = True
_TAGS = (
    *("SeriesInstanceUID", "StudyInstanceUID", "SOPInstanceUID", "PatientID", "StudyDate", "StudyTime", "SeriesNumber"),
    *("Modality", "ImageType", "SeriesDescription", "ProtocolName", "NumberOfFrames", "MRAcquisitionType"),
    *("ContrastBolusAgent", "EchoTime", "RepetitionTime", "Rows"),
)
# Which series a file belongs to, and which image of it: read at every run of every file, so nothing else is decoded.
IDENTITY = ("SeriesInstanceUID", "SOPInstanceUID")
# First group of a file that begins without preamble: 0002 or 0008, little or big endian (DICOM PS3.10 7.1).
_BARE_BEGINNINGS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
_DAMAGED_ARCHIVE = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error, ValueError, ArithmeticError)
_FILES_PER_JOB = 1000
# A file of an archive is held in memory whole; a whole study in one file has a tenth of this.
_LARGEST_MEMBER = 1 << 30


# Name of a field -> its text, empty if it is broken; parts are separated by a backslash, as in the file.
Fields = dict[str, str]


class Header(NamedTuple):
    """One file: its name inside the folder or archive, and the fields of its header that matter."""

    name: str
    fields: Fields


class Portion(NamedTuple):
    """A part of the files of one folder: every `parts`-th of the sorted names, from `part` on.

    folder: relative to the source.
    """

    folder: str
    part: int
    parts: int


def is_archive(path: Path) -> bool:
    """Say whether a source is an archive: a file, not a folder."""
    return path.is_file()


def is_bare(content: IO[bytes]) -> bool:
    """Say whether a file begins without the preamble that DICOM files have; it is left at its beginning."""
    beginning = content.read(132)
    content.seek(0)
    return beginning[128:] != b"DICM"


def read_header(content: IO[bytes], names: tuple[str, ...] = _TAGS) -> Fields | None:
    """Read the named fields; None if the file is no DICOM. What else stands in the header is never decoded."""
    if is_bare(content) and not content.read(2).startswith(_BARE_BEGINNINGS):
        return None
    content.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see above; values are only decoded when they are looked at
        try:
            header = pydicom.dcmread(content, force=True, stop_before_pixels=True, specific_tags=list(names))
            return {name: _text(header, name) for name in names if name in header}
        except Exception:  # pydicom raises errors of every kind on bytes that are no DICOM
            return None


def _text(header: Any, name: str) -> str:
    try:
        value = header[name].value
    except Exception:  # as above
        return ""
    parts = [value] if value is None or isinstance(value, str) or not hasattr(value, "__iter__") else value
    return "\\".join("" if part is None else str(part).strip() for part in parts)


def portions(root: Path) -> dict[str, tuple[str, list[Portion]]]:
    """Divide the files below a folder into jobs of about 1000; symbolic links to folders are not followed."""
    jobs: list[list[Portion]] = [[]]
    size = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        parts = max(1, -(-len(names) // _FILES_PER_JOB))
        relative = Path(folder).relative_to(root).as_posix()
        for part in range(parts if names else 0):
            if size >= _FILES_PER_JOB:
                jobs.append([])
                size = 0
            jobs[-1].append(Portion(relative, part, parts))
            size += len(names) // parts
    return {str(number): (str(root), job) for number, job in enumerate(jobs)}


def read_portion(root: Path, portion: Portion, counts: dict[str, int]) -> Iterator[Header]:
    """Yield the header of every DICOM file; count the files that cannot be read or that links lead out of the root."""
    folder = root / portion.folder
    for name in _names_in(folder)[portion.part :: portion.parts]:
        file = folder / name
        if leads_out(root, file):
            counts["outside"] += 1
            continue
        try:
            header = _header_of_file(file)
        except OSError:
            counts["unreadable"] += 1
            continue
        if header is not None:
            yield Header(file.relative_to(root).as_posix(), header)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not is_folder(entry))
    except OSError:  # removed meanwhile
        return []


def _header_of_file(file: Path) -> Fields | None:
    if not is_plain_file(file):
        raise OSError("a pipe or a device never ends")
    with file.open("rb") as content:
        return read_header(content)


def leads_out(root: Path, file: Path) -> bool:
    """Say whether a symbolic link leads out of a root, or nowhere."""
    try:
        return file.is_symlink() and resolves_outside(root, file)
    except OSError:  # in a folder that may be listed, but not entered
        return True


def files_in_archive(path: Path, counts: dict[str, int] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of an archive, read once from front to back; nothing is unpacked.

    counts: gets how many files are too large to be images, and were passed over.
    Raises `StudyError` if the archive is damaged.
    """
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined] # else the headers of all stay in memory
                if not member.isfile():
                    continue
                if member.size > _LARGEST_MEMBER:
                    _count(counts, "too_large")
                    continue
                content = archive.extractfile(member)
                if content is not None:
                    # Read here, so that damage is met here and not where the content is used.
                    yield member.name.removeprefix("./").lstrip("/"), content.read()
            _drain(archive.fileobj)
    except _DAMAGED_ARCHIVE as error:
        raise StudyError(
            "the DICOM archive cannot be read to its end",
            where="study.path",
            got=type(error).__name__,
            expected="a whole .tar, .tar.gz, .tar.bz2 or .tar.xz archive",
            remedy="copy the archive again",
        ) from None


def _count(counts: dict[str, int] | None, why: str) -> None:
    if counts is not None:
        counts[why] = counts.get(why, 0) + 1


def _drain(stream: Any) -> None:
    # tarfile takes a damaged header for the end of the archive; the checksum beyond tells the difference.
    while stream.read(1 << 22):
        pass


def header_of_bytes(content: bytes) -> Fields | None:
    """Read the header of a file that is in memory."""
    return read_header(io.BytesIO(content))


def number_of(fields: Fields, name: str, otherwise: float = 0.0) -> float:
    """Give a field as a finite number, `otherwise` if it is absent, broken or a list."""
    try:
        number = float(fields.get(name) or otherwise)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise
