"""The number of processors that this process may use."""

import os
from math import ceil
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Return how many processors this process may use: those it is bound to, within the container's limit, but at least
    1.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(bound, _container_limit(_LIMIT) or bound))


def _container_limit(file: Path) -> int | None:
    try:
        quota, period = file.read_text().split()
        return ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return None
