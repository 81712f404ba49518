"""Files that are either whole or absent."""

import errno
import json
import os
from pathlib import Path
from typing import Any

from cohortsmith.errors import CohortsmithError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_bytes(path: Path, content: bytes) -> None:
    """Write through a hidden temporary file in the same folder, then rename: even a power cut leaves a whole file.

    Raises `CohortsmithError` if the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write_through(temporary, content)
        temporary.replace(path)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise CohortsmithError(
            "the disk is full",
            where=path.name,
            got=f"{len(content) / 1e6:.1f} MB to be written",
            expected="free space below COHORTSMITH_HOME",
            remedy="free some space; the same command goes on where it stopped",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
