"""Folders of a BIDS dataset that are visits: sessions, and subjects without sessions."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from cohortsmith.imaging.bids import ONLY_SESSION, alphanumeric, require_distinct_subjects
from cohortsmith.imaging.sources.candidates import is_folder
from cohortsmith.imaging.sources.clinical_table import UnusableValue
from cohortsmith.imaging.sources.identified_rows import name_fault


class VisitFolder(NamedTuple):
    """One visit's folder.

    subject, session: labels; no session for a subject without sessions. scans: T1w, the plainest name first.
    fault: why nothing in it can be named, None if it can.
    """

    place: Path
    subject: str
    session: str
    scans: tuple[Path, ...]
    fault: UnusableValue | None = None


def list_visit_folders(root: Path) -> list[VisitFolder]:
    """List the visits of all subjects, in the order of their names.

    Raises `StudyError` if subjects would get the same name.
    """
    subjects = sorted(folder for folder in root.glob("sub-*") if is_folder(folder))
    require_distinct_subjects(folder.name for folder in subjects if not name_fault(folder.name))
    return [visit for folder in subjects for visit in _of_subject(folder)]


def _of_subject(folder: Path) -> list[VisitFolder]:
    subject, sessions = alphanumeric(folder.name), sorted(place for place in folder.glob("ses-*") if is_folder(place))
    own = VisitFolder(folder, subject, "", _scans(folder))
    visits = [VisitFolder(place, subject, alphanumeric(place.name), _scans(place)) for place in sessions]
    if name_fault(folder.name):
        return [visit._replace(fault=_nameless("subject")) for visit in (own, *visits)]
    return _with_faults([own, *visits] if own.scans else visits)


def _scans(place: Path) -> tuple[Path, ...]:
    return tuple(sorted(place.glob("anat/*_T1w.nii*"), key=lambda path: (path.name.count("_"), path.name)))


def _with_faults(visits: list[VisitFolder]) -> list[VisitFolder]:
    """Set the sessions aside that have no name, or the same name as another one."""
    nameless = [visit.place for visit in visits if visit.place.name.startswith("ses-") and not _is_named(visit)]
    counts = Counter(_label(visit) for visit in visits if visit.place not in nameless)
    alike = UnusableValue("another session of the subject would get the same name", "bids.same_session")
    return [
        visit._replace(fault=_nameless("session") if visit.place in nameless else alike)
        if visit.place in nameless or counts[_label(visit)] > 1
        else visit
        for visit in visits
    ]


def _is_named(visit: VisitFolder) -> bool:
    return bool(visit.session) and not name_fault(visit.subject, visit.session)


def _label(visit: VisitFolder) -> str:
    return (visit.session or ONLY_SESSION).casefold()


def _nameless(what: str) -> UnusableValue:
    return UnusableValue(f"its folder does not name a {what} in at most 64 letters and digits", "bids.nameless_folder")
