"""Which delivered scan became which BIDS name: the one file from which persons can be found again."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from cohortsmith.errors import ConfigurationError
from cohortsmith.imaging.free_text import is_formula
from cohortsmith.imaging.sources.inventory import Inventory
from cohortsmith.imaging.sources.ledger import LedgerRow

_COLUMNS = ("role", "candidate", "delivered", "key", "file")


def require_outside(path: str, results: Sequence[Path]) -> None:
    """Raise `ConfigurationError` if the map would lie among the results, is a folder, or has no folder to lie in."""
    place = Path(path).expanduser().resolve()
    inside = any(place.is_relative_to(folder.resolve()) for folder in results)
    if inside or place.is_dir() or not place.parent.is_dir():
        raise ConfigurationError(
            "the pseudonym map cannot lie there",
            where="parameters.ingest.pseudonym_map",
            got="a place among the results" if inside else "a folder, or a file in a folder that does not exist",
            expected="a file outside the folders data and mlruns, in a folder that exists",
            remedy="choose a place that only those may read who may know the persons, or leave it empty",
        )


def write_pseudonym_map(path: Path, role: str, inventory: Inventory, rows: Iterable[LedgerRow]) -> None:
    """Write candidate -> place of delivery -> BIDS name of one role, atomically and readable by its owner alone.

    What stands there of other roles is kept.
    """
    path = path.expanduser()
    places = {visit.candidate: visit.source for visit in inventory.visits} | dict(inventory.places)
    own = [
        (role, row.candidate, _shown(places.get(row.candidate, "n/a")), row.key, row.file)
        for row in rows
        if row.decision != "remove"
    ]
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([_COLUMNS, *_of_other_roles(path, role), *own])
    _write_privately(path, text.getvalue())


def _shown(place: str) -> str:
    """Escape what cannot be printed; a place that begins as formulas do is the same with ./ before it."""
    text = "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in place)
    return f"./{text}" if is_formula(text) else text


def _of_other_roles(path: Path, role: str) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [row for row in list(csv.reader(stream, delimiter="\t"))[1:] if row and row[0] != role]


def _write_privately(path: Path, text: str) -> None:
    # Temporary files of this kind are made with mode 0600.
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as part:
        try:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
