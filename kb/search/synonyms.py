"""Synonyms: a question in the words of articles that name the same thing differently. Pure."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

MOST: Final = 3  # each is a search of its own


def with_synonyms(query: str, groups: Sequence[Sequence[str]]) -> list[str]:
    """Return the query with one of its words, or of its phrases, replaced by what means the same; at most three."""
    return list(islice(dict.fromkeys(_replaced(query, groups)), MOST))


def _replaced(query: str, groups: Sequence[Sequence[str]]) -> Iterator[str]:
    for group in groups:
        for word in group:
            pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
            if pattern.search(query):
                for other in group:
                    if other != word:
                        yield pattern.sub(other.replace("\\", r"\\"), query)
