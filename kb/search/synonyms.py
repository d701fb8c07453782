"""Synonyms: a question in the words of articles that name the same thing differently. Pure.

Every search asks for them, so what a workspace has stored is read once for each state of it, and an expression is
compiled only for a word that the question may contain.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

MOST: Final = 3  # each is a search of its own
STATES_KEPT: Final = 32  # of all workspaces; the largest has 500 groups of 10 words
PATTERNS_KEPT: Final = 1_000

Group = tuple[tuple[str, str], ...]  # each word with its folded form
# What `re.IGNORECASE` takes for the same letter and `casefold` does not: the Turkish i with and without a dot.
_DOTS: Final = str.maketrans({"\u0307": "", "ı": "i"})


def with_synonyms(query: str, stored: str) -> list[str]:
    """Return the query with one of its words, or of its phrases, replaced by what means the same; at most three.

    `stored` is a JSON array of the groups; "" stands for none.
    """
    return list(islice(dict.fromkeys(_replaced(query, _groups(stored))), MOST)) if stored else []


def _replaced(query: str, groups: tuple[Group, ...]) -> Iterator[str]:
    folded_query = folded(query)
    for group in groups:
        for word, folded_word in group:
            if folded_word in folded_query and _pattern(word).search(query):
                for other, _ in group:
                    if other != word:
                        yield _pattern(word).sub(other.replace("\\", r"\\"), query)


@lru_cache(maxsize=STATES_KEPT)
def _groups(stored: str) -> tuple[Group, ...]:
    return tuple(tuple((word, folded(word)) for word in words) for words in json.loads(stored))


@lru_cache(maxsize=PATTERNS_KEPT)
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def folded(text: str) -> str:
    """Return the text so that whatever the expression of a word finds in it, the folded word is in it, too."""
    return text.casefold().translate(_DOTS)
