"""What a delivered scan is called in the ledger, and where its files may lie."""

import hashlib
import os
from pathlib import Path, PurePath, PurePosixPath

from cohortsmith.imaging.sources.clinical_table import UnusableValue

_LENGTH = 12


def candidate_name(relative_place: str | PurePath) -> str:
    """Give 12 hexadecimal digits (SHA-256) for a place relative to the study's root, the same on every machine."""
    # Names of files are bytes, and need not be text in any encoding.
    return hashlib.sha256(str(PurePosixPath(relative_place)).encode(errors="surrogatepass")).hexdigest()[:_LENGTH]


def require_inside(root: Path, path: str | Path) -> Path:
    """Give `root / path`, whether it exists or not, if it lies inside the root.

    Raises `UnusableValue` (rule files.outside) for an absolute path, one with `..`, and one that a symbolic link leads
    out of the root.
    """
    require_named_inside(path)
    place = root / path
    if resolves_outside(root, place):
        raise UnusableValue("a symbolic link leads out of the study's folder, or to itself", "files.outside")
    return place


def is_folder(entry: "os.DirEntry[str] | Path") -> bool:
    """Say whether a place is a folder, or a link to one; false where the disk does not tell."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_plain_file(path: Path) -> bool:
    """Say whether a path leads to a file, no pipe and no device; false for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def require_named_inside(path: str | Path) -> None:
    """Raise `UnusableValue` (rule files.outside) for an absolute path and one with `..`, without a look at the disk."""
    inside = PurePath(path)
    if inside.is_absolute() or ".." in inside.parts or "\0" in str(path):
        raise UnusableValue("the file lies outside the study's folder", "files.outside")


def resolves_outside(root: Path, place: Path) -> bool:
    """Say whether symbolic links lead from a place below a root out of it, or nowhere."""
    try:
        return not place.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a link to itself is a RuntimeError
        return True
