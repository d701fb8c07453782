"""A mark of this build: of the code, prompts, thresholds and trained data that decide what is answered and how it is
graded. The version number is the same for all builds between two releases, so it cannot tell them apart.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings

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
# Parts that decide no answer. The shipped suites are marked as the cases of the gates.
LEFT_OUT: Final = frozenset({"__pycache__", "management", "migrations", "static", "suites", "templates"})


@cache
def product_mark() -> str:
    """Return the mark of the running build; the files, about 10 MB, are read once per process."""
    return mark_of(Path(settings.BASE_DIR), FOLDERS)


def mark_of(root: Path, folders: Iterable[str]) -> str:
    """Return a mark that changes with the name or content of any file in these folders that decides an answer."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and LEFT_OUT.isdisjoint(name.parts):
                found.update(f"{name.as_posix()}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
