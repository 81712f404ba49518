"""One run at a time in one project: two would overwrite each other's results."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from cohortsmith.errors import CohortsmithError


class RunInProgressError(CohortsmithError):
    """Another run holds the project."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later


def acquire_lock(path: Path) -> TextIO:
    """Hold the lock until the file is closed or the process ends, however it ends.

    Raises:
        RunInProgressError: another process holds it; the message names its process id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.seek(0)
        owner = stream.read().strip() or "unknown"
        stream.close()
        raise RunInProgressError(
            "another run is going on in this project",
            got=f"process {owner}",
            remedy="wait for it to end, or stop it; nothing was started",
        ) from None
    stream.truncate(0)
    stream.write(str(os.getpid()))
    stream.flush()
    return stream
