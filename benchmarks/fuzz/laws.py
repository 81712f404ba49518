"""What must hold after every ingestion, whatever was delivered."""

import csv
import io
import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from cohortsmith.imaging.sources.inventory import Inventory

# Control characters but tab and line feed, and halves of characters that no encoding has.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e]")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_IMAGES = {"nifti": (".nii", ".nii.gz"), "slices": (".png", ".jpg", ".jpeg")}


class LawBroken(AssertionError):
    """One of the laws does not hold; the message says which."""


def require(holds: bool, law: str) -> None:
    if not holds:
        raise LawBroken(law)


def require_balance(inventory: Inventory, ledger: pd.DataFrame) -> None:
    """In = converted + rejected, each candidate once."""
    names = [one.candidate for one in (*inventory.visits, *inventory.rejections)]
    require(Counter(names) == Counter(ledger["candidate"]), "in = converted + rejected")
    require(set(ledger["decision"]) <= {"convert", "reject"}, "every candidate is converted or rejected")
    require(
        all(ledger["rule"]) and all(ledger["reason"].ne("") | ledger["decision"].eq("convert")), "a rule and reason"
    )
    keys = [one.key for one in inventory.visits]
    require(len(set(keys)) == len(keys), "every key once")


def require_complete(source: str, root: Path, inventory: Inventory) -> None:
    """Every image file of the plain sources has its line."""
    delivered = [
        name
        for folder, _, names in os.walk(root)
        for name in names
        if name.lower().endswith(_IMAGES.get(source, ())) and not _is_hidden(Path(folder, name).relative_to(root))
    ]
    require(len(inventory.visits) + len(inventory.rejections) >= len(delivered), "every image file is a candidate")


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def require_plain(name: str, text: str) -> None:
    """No control character, no half of a character."""
    require(not _UNPRINTABLE.search(text), f"only printable text in {name}")


def require_harmless_table(path: Path) -> None:
    """Same number of cells in every line; none that a spreadsheet would take for a formula."""
    text = path.read_bytes().decode("utf-8")
    require_plain(path.name[-16:], text)
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    require(len({len(row) for row in rows}) <= 1, f"equal rows in {path.suffix}")
    require(all("\n" not in cell for row in rows for cell in row), "no line ends in cells")
    for cell in (cell for row in rows for cell in row):
        require(not _FORMULA.match(cell) or bool(_NUMBER.fullmatch(cell)), "no cell begins like a formula")


def picture(root: Path, without: Path) -> dict[str, tuple[int, int, int]]:
    """Note size, time and kind of everything below a root, but for one folder."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) != without]
        for name in (*folders, *names):
            place = f"{folder}/{name}"
            state = os.lstat(place)
            is_folder = name in folders
            # Folders only count by what lies in them: working copies come and go.
            size_and_time = (0, 0) if is_folder else (state.st_size, state.st_mtime_ns)
            found[place] = (*size_and_time, state.st_mode)
    return found
