"""What a result was made from, as one short hash: equal hashes mean that it need not be made again."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cohortsmith import __version__

LENGTH = 16


def fingerprint(*parts: Any) -> str:
    """Hash plain values and configuration blocks together with the version of the code."""
    text = json.dumps([__version__, *parts], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def file_fingerprint(path: str | Path) -> str:
    """Hash a file's content; its name and date do not count."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:LENGTH]


def seed_of(*identity: object) -> int:
    """Give the seed of the random stream that belongs to what these values name, such as a generator and a draw."""
    return int(fingerprint(*identity), 16) % 2**63


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value.item() if hasattr(value, "item") else str(value)
