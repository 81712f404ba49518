"""What a delivered scan is called in the ledger, and where its files may lie."""

import hashlib
from pathlib import Path, PurePath, PurePosixPath

from cohortsmith.imaging.sources.clinical_table import UnusableValue

_LENGTH = 12


def candidate_name(relative_place: str | PurePath) -> str:
    """Give 12 hexadecimal digits (SHA-256) for a place relative to the study's root, the same on every machine."""
    return hashlib.sha256(str(PurePosixPath(relative_place)).encode()).hexdigest()[:_LENGTH]


def require_inside(root: Path, path: str | Path) -> Path:
    """Give `root / path`, whether it exists or not, if it lies inside the root.

    Raises `UnusableValue` (rule files.outside) for an absolute path, one with `..`, and one that a symbolic link leads
    out of the root.
    """
    inside = PurePath(path)
    if inside.is_absolute() or ".." in inside.parts or "\0" in str(path):
        raise UnusableValue("the file lies outside the study's folder", "files.outside")
    place = root / inside
    if not place.resolve().is_relative_to(root.resolve()):
        raise UnusableValue("a symbolic link leads out of the study's folder", "files.outside")
    return place
