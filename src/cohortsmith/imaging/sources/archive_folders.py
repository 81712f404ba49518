"""Images of an archive on disk: <person>/<sequence>/<date and time>/<identifier>/<files>, wherever the people lie."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cohortsmith.imaging.sources.candidates import require_inside
from cohortsmith.imaging.sources.clinical_table import UnusableValue

# Pieces of a download may lie beside each other: ADNI1/ADNI/<person>, part2/ADNI/<person>.
_DEPTH_OF_PEOPLE = 4
_DEPTH_OF_IMAGES = 5
_NIFTI, _DICOM = (".nii", ".nii.gz"), (".dcm", ".ima", "")
_IDENTIFIERS = re.compile(r"(?:_S(?P<series>\d+))?_I(?P<image>\d+)$")


class StoredImage(NamedTuple):
    """One image on disk.

    person, sequence: names of folders. date: YYYY-MM-DD, empty if no folder says so.
    series, image:    the archive's numbers, without S and I; empty if neither folder nor files say so
    place:            relative to the root, with `files`
    source:           NIfTI file or folder of DICOM files, empty if there is neither
    files:            pattern of the names of the files in that folder that belong to it, empty for all
    """

    person: str
    sequence: str
    date: str
    series: str
    image: str
    place: str
    source: str
    files: str


class Listing(NamedTuple):
    """Images as rows with the fields of `StoredImage`, in the order of their places, and what was passed over."""

    frame: pd.DataFrame
    warnings: tuple[str, ...]


def list_stored_images(root: Path, person: str) -> Listing:
    """List every image of every person.

    person: regular expression of the names of people's folders.
    Symbolic links that lead out of the root are not followed.
    """
    outside: list[str] = []
    base = root.resolve()
    images = [image for place in _people(base, base, person, outside) for image in _images(base, place, outside)]
    frame = pd.DataFrame(images, columns=list(StoredImage._fields), dtype=str)
    return Listing(frame.sort_values("place", ignore_index=True), (say_outside(len(outside)),) if outside else ())


def say_outside(count: int) -> str:
    """Say how many symbolic links were not followed."""
    return f"Symbolic links that lead out of the study's folder were not followed: {count}."


def children(root: Path, folder: str | Path, outside: list[str]) -> list["os.DirEntry[str]"]:
    """List what lies in a folder, by name, without hidden files and without links that leave the root.

    outside: gets the names of those links.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []
    kept = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    leaving = {entry.name for entry in kept if entry.is_symlink() and not _is_inside(root, Path(entry.path))}
    outside.extend(sorted(leaving))
    return [entry for entry in kept if entry.name not in leaving]


def _is_inside(root: Path, link: Path) -> bool:
    try:
        require_inside(root, link.relative_to(root))
    except (UnusableValue, OSError, RuntimeError):  # a link to itself is a RuntimeError
        return False
    return True


def _people(root: Path, folder: str | Path, pattern: str, outside: list[str], depth: int = 0) -> Iterator[Path]:
    for place in children(root, folder, outside):
        if not place.is_dir():
            continue
        if re.fullmatch(pattern, place.name):
            yield Path(place.path)
        elif depth + 1 < _DEPTH_OF_PEOPLE:
            yield from _people(root, place.path, pattern, outside, depth + 1)


def _images(root: Path, person: Path, outside: list[str]) -> Iterator[StoredImage]:
    for folder, content in _last_folders(root, person, outside, 0):
        yield from _of_folder(root, person, folder, content)


def _last_folders(root: Path, folder: Path, outside: list[str], depth: int) -> Iterator[tuple[Path, list[str]]]:
    """Find the folders that hold files, or nothing at all."""
    content = children(root, folder, outside)
    # The entries know their kind: no file is asked for it, and there may be a million.
    folders = [place for place in content if place.is_dir()]
    files = [place.name for place in content if not place.is_dir()]
    if depth and (files or not folders):
        yield folder, files
    if depth < _DEPTH_OF_IMAGES:
        for place in folders:
            yield from _last_folders(root, Path(place.path), outside, depth + 1)


def _of_folder(root: Path, person: Path, folder: Path, names: list[str]) -> Iterator[StoredImage]:
    parts = folder.relative_to(person).parts
    date = next((part[:10] for part in parts if re.match(r"\d{4}-\d{2}-\d{2}", part)), "")
    series, image = _number(folder.name, "S"), _number(folder.name, "I")
    for (own_series, own_image), files in sorted(_groups(names, image).items()):
        source = _source(folder, files)
        pattern = f"*_I{own_image}.*" if own_image != image else ""
        place = "/".join(filter(None, (folder.relative_to(root).as_posix(), pattern)))
        yield StoredImage(
            person.name, parts[0], date, own_series or series, own_image, place, str(source or ""), pattern
        )


def _number(name: str, letter: str) -> str:
    match = re.fullmatch(rf"{letter}0*(\d+)", name)
    return match[1] if match else ""


def _groups(names: list[str], image: str) -> dict[tuple[str, str], list[str]]:
    """Sort the files of a folder by the image that their names give them to."""
    groups: dict[str, list[str]] = defaultdict(list)
    series: dict[str, str] = {}
    for name in names:
        stem, suffix = _split(name)
        if suffix not in (*_NIFTI, *_DICOM):
            continue
        match = _IDENTIFIERS.search(stem)
        own = match["image"].lstrip("0") if match else image
        groups[own].append(name)
        series[own] = series.get(own) or ((match["series"] or "") if match else "")
    return {(series[own], own): files for own, files in groups.items()} or {("", image): []}


def _split(name: str) -> tuple[str, str]:
    lower = name.lower()
    suffix = ".nii.gz" if lower.endswith(".nii.gz") else Path(lower).suffix
    return name[: len(name) - len(suffix)], suffix


def _source(folder: Path, names: list[str]) -> Path | None:
    """Prefer a NIfTI file; else the folder, if it holds DICOM files."""
    nifti = [name for name in names if _split(name)[1] in _NIFTI]
    return folder / nifti[0] if nifti else folder if names else None
