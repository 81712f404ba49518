"""Images of an archive on disk: <person>/<sequence>/<date and time>/<identifier>/<files>, wherever the people lie."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cohortsmith.imaging.sources.candidates import candidate_name, is_folder, resolves_outside
from cohortsmith.imaging.sources.listing import STEP
from cohortsmith.records import Rejection

# Pieces of a download may lie beside each other: ADNI1/ADNI/<person>, part2/ADNI/<person>.
_DEPTH_OF_PEOPLE = 4
_DEPTH_OF_IMAGES = 5
_NIFTI, _DICOM = (".nii", ".nii.gz"), (".dcm", ".ima", "")
_PASSED_OVER = {
    "outside": "Symbolic links that lead out of the study's folder were not followed",
    "nameless": "Files and folders whose names cannot be printed were passed over",
    "closed": "Folders that cannot be opened were passed over",
}
_IDENTIFIERS = re.compile(r"(?:_S(?P<series>[0-9]+))?_I(?P<image>[0-9]+)$")


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
    """Images as rows with the fields of `StoredImage`, in the order of their places, and what was passed over.

    nameless: places of images that were passed over, relative to the root, for their names cannot be printed.
    """

    frame: pd.DataFrame
    warnings: tuple[str, ...]
    nameless: tuple[str, ...] = ()


def list_stored_images(root: Path, person: str) -> Listing:
    """List every image of every person.

    person: regular expression of the names of people's folders.
    Symbolic links that lead out of the root are not followed.
    """
    walk = Walk(root.resolve())
    images = [image for place in _people(walk, walk.root, person) for image in _images(walk, place)]
    frame = pd.DataFrame(images, columns=list(StoredImage._fields), dtype=str)
    return Listing(frame.sort_values("place", ignore_index=True), say_passed_over(walk), tuple(sorted(walk.nameless)))


def reject_nameless(listing: Listing) -> list[Rejection]:
    """Set the images aside whose names cannot be printed."""
    reason = "the name of its file or folder cannot be printed"
    return [Rejection("", STEP, reason, candidate_name(place), "files.unprintable_name") for place in listing.nameless]


def places_of(listing: Listing) -> tuple[tuple[str, str], ...]:
    """Give candidate and place of the images whose names cannot be printed."""
    return tuple((candidate_name(place), place) for place in listing.nameless)


class Walk:
    """One walk below a root: how much was passed over, by why, and where the links lead that were followed.

    nameless: images among what was passed over, see `Listing`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.passed_over: Counter[str] = Counter()
        self.followed: set[str] = set()
        self.nameless: list[str] = []


def say_passed_over(walk: Walk) -> tuple[str, ...]:
    """Say how many things a walk passed over, and why."""
    return tuple(f"{text}: {walk.passed_over[why]}." for why, text in _PASSED_OVER.items() if walk.passed_over[why])


def children(walk: Walk, folder: str | Path) -> list["os.DirEntry[str]"]:
    """List what lies in a folder, by name, without hidden files and links that leave the root.

    Of several links to one folder the first is followed: links that lead in circles end there.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        walk.passed_over["closed"] += 1
        return []
    kept = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    return [entry for entry in kept if not entry.is_symlink() or _is_led(walk, entry)]


def _named(walk: Walk, entries: list["os.DirEntry[str]"]) -> list["os.DirEntry[str]"]:
    """Pass over what has a name that cannot be printed, such as bytes that are no UTF-8; note the images in it."""
    nameless = [entry for entry in entries if not entry.name.isprintable()]
    walk.passed_over["nameless"] += len(nameless)
    for entry in nameless:
        walk.nameless += [] if entry.is_symlink() else _images_in(walk.root, Path(entry.path))
    return [entry for entry in entries if entry.name.isprintable()]


def _images_in(root: Path, place: Path) -> Iterator[str]:
    """Name every image in a place that is passed over, by its folder and number; links are not followed."""
    if not is_folder(place):
        yield from [place.relative_to(root).as_posix()] if _split(place.name)[1] in _NIFTI else []
        return
    for folder, _, names in os.walk(place):
        shown = [name for name in names if not name.startswith(".")]
        for (series, image), files in _groups(shown, _number(Path(folder).name, "I")).items():
            if files:
                yield Path(folder, f"S{series}_I{image}").relative_to(root).as_posix()


def _is_led(walk: Walk, link: "os.DirEntry[str]") -> bool:
    if resolves_outside(walk.root, Path(link.path)):
        walk.passed_over["outside"] += 1
        return False
    if not is_folder(link):
        return True
    target = os.path.realpath(link.path)
    is_new = target not in walk.followed
    walk.followed.add(target)
    return is_new


def _people(walk: Walk, folder: str | Path, pattern: str, depth: int = 0) -> Iterator[Path]:
    for place in _named(walk, [entry for entry in children(walk, folder) if is_folder(entry)]):
        if re.fullmatch(pattern, place.name):
            yield Path(place.path)
        elif depth + 1 < _DEPTH_OF_PEOPLE:
            yield from _people(walk, place.path, pattern, depth + 1)


def _images(walk: Walk, person: Path) -> Iterator[StoredImage]:
    for folder, content in _last_folders(walk, person, 0):
        yield from _of_folder(walk.root, person, folder, content)


def _last_folders(walk: Walk, folder: Path, depth: int) -> Iterator[tuple[Path, list[str]]]:
    """Find the folders that hold files, or nothing at all."""
    content = children(walk, folder)
    # The entries know their kind: no file is asked for it, and there may be a million.
    folders = _named(walk, [place for place in content if is_folder(place)])
    # Names of DICOM files go nowhere: any will do.
    others = [place for place in content if not is_folder(place)]
    dicom = [place.name for place in others if _split(place.name)[1] in _DICOM and not place.name.isprintable()]
    files = [place.name for place in _named(walk, [place for place in others if place.name not in dicom])] + dicom
    if depth and (files or not folders):
        yield folder, files
    if depth < _DEPTH_OF_IMAGES:
        for place in folders:
            yield from _last_folders(walk, Path(place.path), depth + 1)


def _of_folder(root: Path, person: Path, folder: Path, names: list[str]) -> Iterator[StoredImage]:
    parts = folder.relative_to(person).parts
    date = next((part[:10] for part in parts if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", part)), "")
    series, image = _number(folder.name, "S"), _number(folder.name, "I")
    for (own_series, own_image), files in sorted(_groups(names, image).items()):
        source = _source(folder, files)
        pattern = f"*_I{own_image}.*" if own_image != image else ""
        place = "/".join(filter(None, (folder.relative_to(root).as_posix(), pattern)))
        yield StoredImage(
            person.name, parts[0], date, own_series or series, own_image, place, str(source or ""), pattern
        )


def _number(name: str, letter: str) -> str:
    match = re.fullmatch(rf"{letter}0*([0-9]+)", name)
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
