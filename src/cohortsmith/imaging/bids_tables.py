"""participants.tsv, sub-X_sessions.tsv and their dictionaries."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.imaging.atomic_write import write_json, write_text

_DICTIONARY: dict[str, dict[str, Any]] = {
    "diagnosis": {"Description": "Diagnosis as given by the study"},
    "age": {"Description": "Age at the session", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"M": "male", "F": "female", "O": "other"}},
    "mmse": {"Description": "Mini-Mental State Examination, 0 to 30"},
    "site": {"Description": "Where the scan was acquired"},
}
# What cannot change from one session to the next stays out of the sessions' tables.
_PERMANENT = ("sex",)
_NOT_A_COLUMN = ("key", "source", "series", "participant_id", "session_id")


class FolderDescription(NamedTuple):
    """What a BIDS folder says of itself.

    participants: one row per scan: participant_id, session_id (if the folder has sessions), clinical columns
    sources:      where it was derived from
    """

    name: str
    participants: pd.DataFrame
    derivative: bool = False
    description: str = ""
    sources: tuple[str, ...] = ()


def write_participants(root: Path, scans: pd.DataFrame) -> None:
    """Write one row per participant (values of the first session), a sessions file each, and the dictionaries.

    scans: one row per scan with participant_id, clinical columns and, where the folder has sessions, session_id.
    """
    columns = [name for name in scans.columns if name not in _NOT_A_COLUMN]
    ordered = scans.sort_values([name for name in ("participant_id", "session_id") if name in scans])
    firsts = ordered.drop_duplicates("participant_id")
    write_text(root / "participants.tsv", _tsv(firsts[["participant_id", *columns]]))
    write_json(root / "participants.json", _dictionary(columns))
    if "session_id" in scans:
        _write_sessions(root, ordered, [name for name in columns if name not in _PERMANENT])


def _write_sessions(root: Path, scans: pd.DataFrame, columns: list[str]) -> None:
    write_json(root / "sessions.json", _dictionary(columns))
    for participant, own in scans.groupby("participant_id"):
        path = root / str(participant) / f"{participant}_sessions.tsv"
        write_text(path, _tsv(own[["session_id", *columns]]))


def _tsv(table: pd.DataFrame) -> str:
    filled = table.replace("", pd.NA)
    return str(filled.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%g", lineterminator="\n"))


def _dictionary(columns: list[str]) -> dict[str, Any]:
    return {name: _DICTIONARY.get(name, {"Description": name.replace("_", " ")}) for name in columns}
