"""OASIS-1 as it is delivered: folders OAS1_dddd_MRd of twelve archives, and one table.

Of each person the first session (MR1) is taken: the average of its scans, as an Analyze pair. MR2 are rescans of twenty
people within days. Clinical dementia rating (CDR) 0 is CN, above 0 AD.
Source: Marcus et al., J. Cogn. Neurosci. 2007.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.imaging.sources.archive_folders import Walk, children, say_passed_over
from cohortsmith.imaging.sources.archive_tables import Table, list_table_files, read_archive_table, tables_folder
from cohortsmith.imaging.sources.archive_values import known, parse_numbers, translate
from cohortsmith.imaging.sources.candidates import candidate_name, is_folder, require_inside
from cohortsmith.imaging.sources.clinical_table import UnusableValue, require_folder
from cohortsmith.imaging.sources.field_map import OasisMap, read_field_map
from cohortsmith.imaging.sources.inventory import ClinicalVisit, Inventory, Visit
from cohortsmith.imaging.sources.listing import STEP
from cohortsmith.records import Rejection

_SESSION = "M000"
_DEPTH = 2  # the archives may be unpacked into one folder or each into its own
_UNKNOWN = {"diagnosis": "n/a", "age": math.nan, "sex": "n/a", "mmse": math.nan}


class _Folders(NamedTuple):
    """Folders of sessions, relative to the root, in the order of their names, and how many others there are.

    passed_over: what was passed over, in whole sentences.
    """

    sessions: tuple[Path, ...]
    foreign: int
    passed_over: tuple[str, ...]


def read_inventory(study: StudyConfig) -> Inventory:
    """List the sessions below `study.path`, with the table below `study.table` (a file or folder; else `study.path`).

    Raises `StudyError` without any session's folder, or without a table.
    """
    root = require_folder(study.path, "study.path")
    names = read_field_map(OasisMap, "oasis1")
    found = _folders(root, names.images.session)
    if not found.sessions:
        raise _no_sessions()
    table = _read_table(study, root, names)
    people = {row["person"]: row for row in table.frame.to_dict("records")}
    decided = [_visit_or_rejection(root, place, names, people) for place in _first_places(found)]
    decided += [_duplicate(place, names) for place in found.sessions if place not in _first_places(found)]
    warnings = (*table.warnings, *_warn(found, people, names))
    return Inventory(
        tuple(item for item in decided if isinstance(item, Visit)),
        tuple(item for item in decided if isinstance(item, Rejection)),
        tuple(_clinical(people)),
        warnings,
        tuple((place.name, place.as_posix()) for place in _first_places(found)),
    )


def _no_sessions() -> StudyError:
    return StudyError(
        "no session of OASIS-1 was found",
        where="study.path",
        got="no folder with a name such as OAS1_0001_MR1",
        expected="the folder into which the archives disc1 to disc12 were unpacked",
        remedy="unpack the archives and set study.path to that folder",
    )


def _folders(root: Path, pattern: str) -> _Folders:
    walk = Walk(root)
    sessions, foreign = [], 0
    waiting = [(root, 1)]
    while waiting:
        folder, depth = waiting.pop()
        for entry in children(walk, folder):
            if not is_folder(entry):
                continue
            if re.fullmatch(pattern, entry.name):
                sessions.append(Path(entry.path).relative_to(root))
            elif depth < _DEPTH:
                waiting.append((Path(entry.path), depth + 1))
                foreign += 1
    holders = {place.parts[0] for place in sessions if len(place.parts) > 1}
    return _Folders(
        tuple(sorted(sessions, key=lambda place: (place.name, place))), foreign - len(holders), say_passed_over(walk)
    )


def _first_places(found: _Folders) -> list[Path]:
    return list({place.name: place for place in reversed(found.sessions)}.values())[::-1]


def _read_table(study: StudyConfig, root: Path, names: OasisMap) -> Table:
    read = _read_file_or_folder(study, root, names)
    frame = read.frame.apply(lambda column: known(column.str.strip(), names.values.missing))
    identity = frame["identifier"].str.extract(f"^{names.images.session}$")
    cdr = parse_numbers(frame["cdr"], 0, 3)
    frame = pd.DataFrame(
        {
            "person": identity[0],
            "session": identity[1],
            "age": parse_numbers(frame["age"], 0, 120),
            "sex": translate(frame["sex"], names.values.sex),
            "mmse": parse_numbers(frame["mmse"], 0, 30),
            "diagnosis": pd.Series("n/a", index=frame.index, dtype=object).mask(cdr == 0, "CN").mask(cdr > 0, "AD"),
        }
    )
    first = frame[frame["person"].notna() & (frame["session"] == names.images.first)].drop_duplicates("person")
    if first.empty:
        raise StudyError(
            "no table of OASIS-1 can be used",
            where="study.table",
            got=" ".join(read.warnings) or "no row with an ID such as OAS1_0001_MR1",
            expected="oasis_cross-sectional.csv or .xlsx",
            remedy="save the spreadsheet as CSV beside the images, or name it in study.table",
        )
    return Table(first, read.warnings)


def _read_file_or_folder(study: StudyConfig, root: Path, names: OasisMap) -> Table:
    files = list_table_files(tables_folder(study, root), names.images.session)
    named = [file for file in files if study.table and file.path.name == Path(study.table).name]
    # A file that the study names may have any name.
    return read_archive_table(
        named or files, names.table.model_copy(update={"files": ("*",)}) if named else names.table
    )


def _warn(found: _Folders, people: dict[str, Any], names: OasisMap) -> Iterator[str]:
    if found.foreign:
        yield f"Folders passed over, for their names are not like OAS1_0001_MR1: {found.foreign}."
    yield from found.passed_over
    present = {_parts(place, names)[0] for place in found.sessions}
    absent = len(set(people) - present)
    if absent:
        yield f"People of the table without any folder: {absent}."


def _parts(place: Path, names: OasisMap) -> tuple[str, str]:
    match = re.fullmatch(names.images.session, place.name)
    if match is None:
        raise ValueError("not the folder of a session")
    return match[1], match[2]


def _key(person: str) -> str:
    return f"sub-OASIS1{person}_ses-{_SESSION}"


def _visit_or_rejection(root: Path, place: Path, names: OasisMap, people: dict[str, Any]) -> Visit | Rejection:
    person, session = _parts(place, names)
    key, values = _key(person), _UNKNOWN | people.get(person, {})
    if session != names.images.first:
        return Rejection(key, STEP, "a rescan: the first session of the person is used", place.name, "oasis1.rescan")
    try:
        image = _image(root, place / names.images.folder)
    except UnusableValue as error:
        return Rejection(key, STEP, str(error), place.name, error.rule)
    return Visit(
        key=key,
        participant_id=f"sub-OASIS1{person}",
        session_id=f"ses-{_SESSION}",
        source=str(image),
        diagnosis=values["diagnosis"],
        age=values["age"],
        sex=values["sex"],
        mmse=values["mmse"],
        site="n/a",
        candidate=place.name,
        rule="oasis1.first_session",
        reason="the average of the person's first session",
        day=0,
        files=f"{image.stem}.*",
        orientation="oasis1",
    )


def _image(root: Path, folder: Path) -> Path:
    images = sorted(path.relative_to(root) for path in (root / folder).glob("*.img"))
    if not images:
        raise UnusableValue(f"scan is missing: no image in {'/'.join(folder.parts[-3:])}", "oasis1.not_on_disk")
    require_inside(root, images[0].with_suffix(".hdr"))
    return require_inside(root, images[0])


def _duplicate(place: Path, names: OasisMap) -> Rejection:
    key = _key(_parts(place, names)[0])
    reason = "the same session lies in a second folder"
    return Rejection(key, STEP, reason, candidate_name(place.as_posix()), "oasis1.duplicate")


def _clinical(people: dict[str, Any]) -> Iterator[ClinicalVisit]:
    for person, row in sorted(people.items()):
        yield ClinicalVisit(f"sub-OASIS1{person}", f"ses-{_SESSION}", 0.0, row["diagnosis"], row["diagnosis"])
