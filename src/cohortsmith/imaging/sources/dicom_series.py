"""DICOM files grouped into series, one at a time: only sums are kept, so memory does not grow with the files."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from cohortsmith.imaging.sources.dicom_headers import (
    Fields,
    Header,
    Portion,
    files_in_archive,
    header_of_bytes,
    number_of,
    read_portion,
)
from cohortsmith.imaging.sources.work import Work

_LENGTH = 16
_MOST_FRAMES = 2**31  # a value beyond is nonsense


class Series(NamedTuple):
    """One DICOM series of one patient and study; nothing of it may be written or logged but the digest.

    digest:   of the SeriesInstanceUID, empty if it is missing
    study, patient: identifiers as they stand in the header
    moment:   study date and time as text
    folders:  every folder that holds files of it, inside the source
    images:   distinct ones, frames counted. repeats: files that are there more than once
    original: false for images that were computed from others
    enhanced: with contrast agent
    echo_time, repetition_time: ms, 0 if unknown
    content:  hash of its files where these were read whole, else empty
    """

    digest: str
    study: str
    patient: str
    moment: str
    folders: tuple[str, ...]
    number: int
    images: int
    modality: str
    description: str
    volumetric: bool
    enhanced: bool
    echo_time: float
    repetition_time: float
    original: bool = True
    repeats: int = 0
    content: str = ""

    @property
    def identity(self) -> str:
        """Tell this series from one of the same identifier under another patient or study."""
        return _digest("|".join((self.digest, self.patient, self.study)))

    @property
    def place(self) -> str:
        """Name it inside the source: the deepest folder that holds all its files, and its identity."""
        common = os.path.commonpath(self.folders) if self.folders else ""
        return f"{common}/{self.identity}"


class Tally(NamedTuple):
    """A series while its files are being counted: the values of its first file, and 12 bytes per file.

    first: name of that file. instances: (hash of the SOPInstanceUID, frames) of every file.
    """

    series: Series
    first: str
    instances: np.ndarray[Any, Any]


Key = tuple[str, str, str, str]
_INSTANCE = np.dtype([("name", "<u8"), ("frames", "<u4")])


def digest_of(fields: Fields) -> str:
    """Give a name for a series from which its identifier cannot be read; empty if it has none."""
    identifier = fields.get("SeriesInstanceUID", "")
    return _digest(identifier) if identifier else ""


def instance_of(fields: Fields, name: str) -> str:
    """Give what tells an image from its copies: its SOPInstanceUID, or the file's name if it has none."""
    return fields.get("SOPInstanceUID", "") or name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_LENGTH]


def count_headers(headers: Iterable[Header]) -> dict[Key, Tally]:
    """Count headers into series, by identifier, patient and study; those without identifier by folder."""
    first: dict[Key, Header] = {}
    folders: dict[Key, set[str]] = {}
    instances: dict[Key, list[tuple[int, int]]] = {}
    for header in headers:
        key = _key(header)
        if key is None:
            continue
        first.setdefault(key, header)
        folders.setdefault(key, set()).add(_folder(header.name))
        instances.setdefault(key, []).append(_instance(header))
    return {
        key: Tally(
            _series(header.fields, key, tuple(sorted(folders[key]))),
            header.name,
            np.array(instances[key], dtype=_INSTANCE),
        )
        for key, header in first.items()
    }


def _key(header: Header) -> Key | None:
    digest = digest_of(header.fields)
    if not digest and "Rows" not in header.fields:
        return None  # a table of contents (DICOMDIR), not an image
    study = header.fields.get("StudyInstanceUID", "") or digest
    # Anonymised exports leave the patient's ID empty: then every study is taken for a person.
    patient = header.fields.get("PatientID", "") or study
    return digest, patient, study, "" if digest else _folder(header.name)


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.as_posix()


def _instance(header: Header) -> tuple[int, int]:
    name = hashlib.sha256(instance_of(header.fields, header.name).encode(errors="surrogatepass")).digest()
    frames = min(max(number_of(header.fields, "NumberOfFrames", 1), 1), _MOST_FRAMES)
    return int.from_bytes(name[:8], "little"), int(frames)


def _series(fields: Fields, key: Key, folders: tuple[str, ...]) -> Series:
    digest, patient, study, _ = key
    return Series(
        digest=digest,
        study=study,
        patient=patient,
        moment=fields.get("StudyDate", "") + fields.get("StudyTime", ""),
        folders=folders,
        number=int(number_of(fields, "SeriesNumber")),
        images=0,
        modality=fields.get("Modality", ""),
        description=" ".join(fields.get(name, "") for name in ("SeriesDescription", "ProtocolName")),
        volumetric=fields.get("MRAcquisitionType", "") == "3D",
        enhanced=bool(fields.get("ContrastBolusAgent", "")),
        echo_time=number_of(fields, "EchoTime"),
        repetition_time=number_of(fields, "RepetitionTime"),
        original=not {"DERIVED", "SECONDARY"} & set(fields.get("ImageType", "").upper().split("\\")),
    )


def merge(one: Tally, other: Tally) -> Tally:
    """Join two parts of a series; the values are those of the file whose name comes first."""
    first = min(one, other, key=lambda tally: tally.first)
    folders = tuple(sorted({*one.series.folders, *other.series.folders}))
    return Tally(first.series._replace(folders=folders), first.first, np.concatenate([one.instances, other.instances]))


def settle(tally: Tally) -> Series:
    """Count the distinct images of a series whose files have all been seen."""
    _, places = np.unique(tally.instances["name"], return_index=True)
    images = int(tally.instances["frames"][places].sum())
    return tally.series._replace(images=images, repeats=len(tally.instances) - len(places))


class Survey(NamedTuple):
    """Every series of a source, and how many files were passed over, by why."""

    series: list[Series]
    counts: dict[str, int]


def survey_folder(root: Path, jobs: dict[str, tuple[str, list[Portion]]], work: Work) -> Survey:
    """Read the headers of all files below a folder, portion by portion."""
    tallies: dict[Key, Tally] = {}
    counts: Counter[str] = Counter()
    for found, passed_over in work(survey_portions, jobs):
        counts.update(passed_over)
        for key, tally in found.items():
            tallies[key] = merge(tallies[key], tally) if key in tallies else tally
    return Survey(_settled(tallies), counts)


def survey_portions(root: str, job: list[Portion]) -> tuple[dict[Key, Tally], dict[str, int]]:
    """Read the headers of one job's files, in a worker process."""
    counts: Counter[str] = Counter()
    headers = (header for portion in job for header in read_portion(Path(root), portion, counts))
    return count_headers(headers), dict(counts)


def survey_archive(path: Path) -> Survey:
    """Read the headers of all files of an archive, and hash the series' content on the way."""
    contents: dict[Key, set[bytes]] = {}
    counts: dict[str, int] = {}

    def headers() -> Iterable[Header]:
        for name, content in files_in_archive(path, counts):
            fields = header_of_bytes(content)
            if fields is None:
                continue
            header = Header(name, fields)
            key = _key(header)
            if key is not None:
                contents.setdefault(key, set()).add(hashlib.sha256(content).digest())
            yield header

    tallies = count_headers(headers())
    hashed = {
        key: tally._replace(series=tally.series._replace(content=hash_contents(contents[key])))
        for key, tally in tallies.items()
    }
    return Survey(_settled(hashed), counts)


def _settled(tallies: dict[Key, Tally]) -> list[Series]:
    return [settle(tally) for _, tally in sorted(tallies.items())]


def hash_contents(digests: Iterable[bytes]) -> str:
    """Hash a set of files by their digests, in any order; a file that is there twice counts once."""
    return hashlib.sha256(b"".join(sorted(set(digests)))).hexdigest()[:_LENGTH]


def day_of(series: Series) -> date | None:
    """Give the day of the study, None if it is unknown."""
    try:
        return datetime.strptime(series.moment[:8], "%Y%m%d").date()
    except ValueError:
        return None
