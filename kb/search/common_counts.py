"""The size of a large scope and the counts of its common words, which each process keeps for a minute.

Counting a word that thousands of passages contain takes as long as finding the nearest passages, and question after
question uses the same common words. Such a count affects a search only if it changes a lot, so it may be a minute old.
Rare words are counted for each question: a new article is found at once by a word that no other article contains.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.core.cache.backends.locmem import LocMemCache

from supportbot.sql import Statement

KEPT_SECONDS: Final = 60
# Smaller counts are not kept.
COMMON_FROM: Final = 200
_kept = LocMemCache("common counts", {"timeout": KEPT_SECONDS, "max_entries": 10_000})


@dataclass(frozen=True, slots=True)
class ScopeSize:
    """The number of chunks in a scope, and whether at least half of the workspace's live articles are in it."""

    chunks: int
    reads_most: bool


def kept_size(counted_by: Statement) -> ScopeSize | None:
    """Return the size that is kept for a scope; None if there is none."""
    size: ScopeSize | None = _kept.get(_key(counted_by, ""))
    return size


def keep_size(counted_by: Statement, size: ScopeSize) -> None:
    """Keep the size of a large scope."""
    _kept.set(_key(counted_by, ""), size)


def kept(counted_by: Statement, words: Iterable[str]) -> dict[str, int]:
    """Return the counts that are kept for these words in the scope that `counted_by`, a condition, describes."""
    keys = {_key(counted_by, word): word for word in words}
    return {keys[key]: count for key, count in _kept.get_many(list(keys)).items()}


def keep(counted_by: Statement, counts: Mapping[str, int]) -> None:
    """Keep those of these counts that are common."""
    _kept.set_many({_key(counted_by, word): count for word, count in counts.items() if count >= COMMON_FROM})


def _key(counted_by: Statement, word: str) -> str:
    return hashlib.sha256(f"{counted_by} {word}".encode()).hexdigest()
