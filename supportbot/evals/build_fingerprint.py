"""A fingerprint of this build: a digest of the code, prompts, thresholds and trained data that determine answers and
grades. The version number is the same for all builds between two releases, so it cannot tell them apart.

During an update, processes of two builds run side by side. Work begun by one build is continued only by its own
processes.
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
# Parts that do not affect answers. The gate cases have their own fingerprints, which cover the shipped suites.
LEFT_OUT: Final = frozenset({"__pycache__", "management", "migrations", "static", "suites", "templates"})
# How long a process leaves work to the newer build that began it, because that build's worker may start later.
LEFT_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Build:
    mark: str
    since: datetime  # when this process read the files


@cache
def build() -> Build:
    """Return the running build. Its files, about 10 MB, are read once per process. Web processes and workers read them
    at start-up, because an update may replace the files before it restarts the processes.
    """
    return Build(mark_of(Path(settings.BASE_DIR), FOLDERS), now())


def product_mark() -> str:
    return build().mark


def for_this_build() -> Q:
    """Return the condition for runs and replays that this process may take: those of its own build, and those that no
    other build will take.

    A run or replay taken by a different build ends and names the update as the reason. Work that another build began
    after this process started is left to that build's worker for some minutes, because that build is probably newer.
    """
    is_newer = Q(created_at__gt=build().since, lease_until__gt=now() - LEFT_FOR)
    return Q(product__in=("", product_mark())) | ~is_newer


def mark_of(root: Path, folders: Iterable[str]) -> str:
    """Return a fingerprint that changes with the name or content of any file in these folders that affects answers."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and LEFT_OUT.isdisjoint(name.parts):
                found.update(f"{name.as_posix()}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
