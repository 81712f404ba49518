"""A folder of NIfTI files and a clinical table."""

from functools import partial
from pathlib import Path

from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.imaging.sources.clinical_table import (
    UnusableValue,
    read_table,
    require_file,
    require_folder,
    required_columns,
)
from cohortsmith.imaging.sources.inventory import Converted, Inventory
from cohortsmith.imaging.sources.listing import Row, list_rows
from cohortsmith.imaging.volume import read_volume


def read_inventory(study: StudyConfig) -> Inventory:
    """List the visits of `study.table`; scans lie under `study.path`.

    The scan is named by the column `study.columns.file` (relative to the folder), else it is
    <participant>_<session>.nii.gz or <participant>.nii.gz (or .nii).
    """
    folder = require_folder(study.path, "study.path")
    table = require_file(study.table, "study.table")
    rows = read_table(table, required_columns(study.columns, study.columns.session, study.columns.file))
    return list_rows(rows, study, partial(find_scan, folder, study.columns, (".nii.gz", ".nii")))


def find_scan(folder: Path, columns: Columns, suffixes: tuple[str, ...], row: Row) -> str:
    """Give the path of a row's scan; raise `UnusableValue` if there is none."""
    names = _names(columns, suffixes, row)
    for name in names:
        if (folder / name).is_file():
            return str(folder / name)
    raise UnusableValue(f"scan is missing: none of {len(names)} expected file names exists")


def _names(columns: Columns, suffixes: tuple[str, ...], row: Row) -> list[str]:
    if columns.file:
        return [row[columns.file]] if row[columns.file] else []
    participant, session = row[columns.participant], row.get(columns.session, "")
    stems = [f"{participant}_{session}", participant] if session else [participant]
    return [stem + suffix for stem in stems for suffix in suffixes]


def convert(source: str, key: str) -> Converted:
    """Read one scan as it is."""
    return Converted(read_volume(source, key), {})
