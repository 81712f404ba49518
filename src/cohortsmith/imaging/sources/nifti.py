"""A folder of NIfTI files and a clinical table."""

import os
from functools import partial
from pathlib import Path

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.imaging.bids import read_sidecar, sidecar_path
from cohortsmith.imaging.sources.candidates import is_plain_file, require_inside, require_named_inside
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_table,
    require_folder,
    require_table,
    required_columns,
)
from cohortsmith.imaging.sources.inventory import Converted, Inventory, Visit
from cohortsmith.imaging.sources.listing import Found, Row, list_rows
from cohortsmith.imaging.volume import read_volume

_SUFFIXES = (".nii.gz", ".nii")


def read_inventory(study: StudyConfig) -> Inventory:
    """List the visits of `study.table` (a path, or a name inside `study.path`); scans lie under `study.path`.

    The scan is named by the column `study.columns.file` (relative to the folder), else it is
    <participant>_<session>.nii.gz or <participant>.nii.gz (or .nii).
    """
    folder = require_folder(study.path, "study.path")
    rows = read_table(
        require_table(study.table, folder), required_columns(study.columns, study.columns.session, study.columns.file)
    )
    return list_rows(rows, study, partial(find_scan, folder, study.columns, _SUFFIXES), scans_in(folder, _SUFFIXES))


def scans_in(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """List every file with one of the suffixes anywhere below a folder, relative to it; hidden ones are no scans."""
    return [
        place.as_posix()
        for parent, folders, names in os.walk(folder)
        for place in (Path(parent, name).relative_to(folder) for name in _shown(folders, names))
        if place.name.lower().endswith(suffixes)
    ]


def _shown(folders: list[str], names: list[str]) -> list[str]:
    folders[:] = sorted(name for name in folders if not name.startswith("."))
    return sorted(name for name in names if not name.startswith("."))


def find_scan(folder: Path, columns: Columns, suffixes: tuple[str, ...], row: Row) -> Found:
    """Find a row's scan; raise `UnusableValue` if there is none or it lies outside the folder."""
    names = _names(columns, suffixes, row)
    for name in names:
        require_named_inside(name)
        if is_plain_file(folder / name):
            place = require_inside(folder, name)
            return Found(str(place), place=place.relative_to(folder).as_posix())
    raise UnusableValue(f"scan is missing: none of {len(names)} expected file names exists", "files.missing")


def _names(columns: Columns, suffixes: tuple[str, ...], row: Row) -> list[str]:
    if columns.file:
        return [row[columns.file]] if row[columns.file] else []
    participant, session = row[columns.participant], row.get(columns.session, "")
    stems = [f"{participant}_{session}", participant] if session else [participant]
    return [stem + suffix for stem in stems for suffix in suffixes]


def convert(visit: Visit) -> Converted:
    """Read one scan and what may be kept of its sidecar, if it has one."""
    return Converted(read_volume(visit.source, visit.key), read_sidecar(sidecar_path(Path(visit.source))))
