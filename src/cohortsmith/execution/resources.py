"""How many workers this machine can feed."""

import logging
import os
from pathlib import Path

import psutil

log = logging.getLogger(__name__)
_GIGABYTE = 2**30
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory_gb() -> float:
    """Give the memory that may still be taken, by the machine or by the container or job this process is in."""
    free = [psutil.virtual_memory().available]
    for limit, used in _LIMITS:
        if limit.is_file() and used.is_file() and limit.read_text().strip().isdigit():
            free.append(int(limit.read_text()) - int(used.read_text()))
    return max(0.0, min(free) / _GIGABYTE)


def workers_that_fit(workers: int, memory_gb: float) -> int:
    """Give as many workers as memory allows, at least one; log where that is fewer than were asked for.

    memory_gb: what one worker needs; 0 means unknown.
    """
    if memory_gb <= 0:
        return workers
    available = available_memory_gb()
    fitting = max(1, min(workers, int(available / memory_gb)))
    log.info("%d workers of at most %.1f GB each; %.1f GB are free", fitting, memory_gb, available)
    if memory_gb > available:
        log.warning("one worker may need more memory (%.1f GB) than is free (%.1f GB)", memory_gb, available)
    return fitting
