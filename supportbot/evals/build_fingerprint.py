"""A fingerprint of this build: a digest of the code, prompts, thresholds and trained data that determine answers and
grades. The version number cannot tell builds apart, because it is the same for all builds between two releases.

During an update, processes of two builds run side by side. Only processes of the same build continue work that a build
has begun.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.utils.timezone import now

FOLDERS: Final = (
    "actions",
    "kb",
    "supportbot/assistant",
    "supportbot/builtin",
    "supportbot/chat",
    "supportbot/evals",
    "supportbot/language",
    "supportbot/llm",
    "supportbot/releases",
)
# Parts that do not affect answers. The shipped suites are covered by the fingerprints of the gate cases.
LEFT_OUT: Final = frozenset({"__pycache__", "management", "migrations", "static", "suites", "templates"})
# How long a process leaves work to the newer build that began it, because a worker of that build may start later.
LEFT_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Build:
    mark: str
    since: datetime  # when this process read the files


@cache
def build() -> Build:
    """Return the running build. Its files, about 10 MB, are read once per process.

    Web processes and workers call this at start-up, because an update may replace the files before it restarts the
    processes.
    """
    return Build(mark_of(Path(settings.BASE_DIR), FOLDERS), now())


def product_mark() -> str:
    return build().mark


def for_this_build() -> Q:
    """Return the condition for the runs and replays that this process may take: all except those of a newer build.

    If another build began a run or replay after this process started, that build is probably newer, and its own worker
    gets some minutes to take it. A run or replay that another build began is ended by the process that takes it, with
    the update as the reason.
    """
    is_newer = Q(created_at__gt=build().since, lease_until__gt=now() - LEFT_FOR)
    return Q(product__in=("", product_mark())) | ~is_newer


def mark_of(root: Path, folders: Iterable[str]) -> str:
    """Return a fingerprint of the names and contents of all files in these folders that affect answers."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and LEFT_OUT.isdisjoint(name.parts):
                found.update(f"{name.as_posix()}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
