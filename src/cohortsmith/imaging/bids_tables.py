"""participants.tsv, sub-X_sessions.tsv, sub-X_ses-Y_scans.tsv and their dictionaries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.imaging.atomic_write import write_json, write_text
from cohortsmith.imaging.bids import raw_path

# Older ages identify (45 CFR 164.514(b)(2)(i)(C)): they are put into one category.
HIGHEST_AGE = 90.0
# What is said of a scan, not of a person or session.
SCAN_COLUMNS = ("day", "rule")
_DICTIONARY: dict[str, dict[str, Any]] = {
    "diagnosis": {"Description": "Diagnosis as given by the study"},
    "age": {"Description": "Age at the session; 90 stands for 90 or more", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"M": "male", "F": "female", "O": "other"}},
    "mmse": {"Description": "Mini-Mental State Examination, 0 to 30"},
    "site": {"Description": "Where the scan was acquired"},
    "quarantined": {
        "Description": "Whether the screen for copies of training scans flags this synthetic scan: it must not be used",
        "Levels": {"true": "flagged: must not be used or handed on", "false": "passed, which is no proof of anonymity"},
    },
}
# What cannot change from one session to the next stays out of the sessions' tables.
_PERMANENT = ("sex",)
_NOT_A_COLUMN = (
    *("key", "participant_id", "session_id", *SCAN_COLUMNS),
    *("source", "series", "candidate", "reason", "files", "orientation", "folders", "content"),
)
_SCANS_DICTIONARY: dict[str, dict[str, Any]] = {
    "day": {"Description": "Days from the subject's first known visit to this session", "Units": "day"},
    "rule": {"Description": "Rule of the ledger by which this scan was chosen for its session"},
}


class FolderDescription(NamedTuple):
    """What a BIDS folder says of itself.

    participants: one row per scan: participant_id, session_id (if the folder has sessions), clinical columns
    sources:      where it was derived from
    links:        dataset name of a BIDS URI -> where it lies, relative to the folder
    ignored:      patterns of files that BIDS has no name for
    """

    name: str
    participants: pd.DataFrame
    derivative: bool = False
    description: str = ""
    sources: tuple[str, ...] = ()
    links: Mapping[str, str] = {}
    ignored: tuple[str, ...] = ()


def write_participants(root: Path, scans: pd.DataFrame) -> None:
    """Write one row per participant (values of the first session), sessions and scans files, and the dictionaries.

    scans: one row per scan with participant_id, clinical columns and, where the folder has sessions, session_id;
    `day` and `rule` go into the scans files, which need the column key. Files of participants and sessions that have
    no scan any more are removed. Ages are written as they are: see `HIGHEST_AGE`.
    """
    columns = [name for name in scans.columns if name not in _NOT_A_COLUMN]
    ordered = scans.sort_values([name for name in ("participant_id", "session_id") if name in scans])
    firsts = ordered.drop_duplicates("participant_id")
    write_text(root / "participants.tsv", _tsv(firsts[["participant_id", *columns]]))
    write_json(root / "participants.json", _dictionary(columns))
    written = set()
    if "session_id" in scans:
        written |= _write_sessions(root, ordered, [name for name in columns if name not in _PERMANENT])
    if {"key", "session_id", *SCAN_COLUMNS} <= set(scans):
        written |= _write_scans(root, ordered)
    _remove_others(root, written)


def _write_sessions(root: Path, scans: pd.DataFrame, columns: list[str]) -> set[Path]:
    write_json(root / "sessions.json", _dictionary(columns))
    paths = set()
    for participant, own in scans.groupby("participant_id"):
        path = root / str(participant) / f"{participant}_sessions.tsv"
        write_text(path, _tsv(own[["session_id", *columns]]))
        paths.add(path)
    return paths


def _write_scans(root: Path, scans: pd.DataFrame) -> set[Path]:
    write_json(root / "scans.json", _SCANS_DICTIONARY)
    paths = set()
    for key, own in scans.groupby("key"):
        scan = raw_path(root, str(key))
        path = scan.parent.with_name(f"{key}_scans.tsv")
        write_text(path, _tsv(own[[*SCAN_COLUMNS]].assign(filename=f"anat/{scan.name}")[["filename", *SCAN_COLUMNS]]))
        paths.add(path)
    return paths


def _remove_others(root: Path, written: set[Path]) -> None:
    """Remove the tables of participants and sessions that left the study, and the folders that they leave empty."""
    for path in {*root.glob("sub-*/*_sessions.tsv"), *root.glob("sub-*/ses-*/*_scans.tsv")} - written:
        path.unlink()
    for folder in sorted(root.glob("sub-*/**/"), key=lambda place: -len(place.parts)):
        if not any(folder.iterdir()):
            folder.rmdir()


def _tsv(table: pd.DataFrame) -> str:
    filled = table.replace("", pd.NA)
    return str(filled.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%g", lineterminator="\n"))


def _dictionary(columns: list[str]) -> dict[str, Any]:
    return {name: _DICTIONARY.get(name, {"Description": name.replace("_", " ")}) for name in columns}
