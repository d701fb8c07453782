"""The workspace's synonyms: how people and programs change them, and how the words of a question are replaced by
synonyms that articles may use.

Every search needs them, so a workspace's groups are parsed once for each stored state, and an expression is compiled
only for words that the question may contain.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from kb.errors import InvalidDocument, SynonymsMissing
from kb.models import Synonyms
from kb.validation import check_storable
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id

MAX_GROUPS: Final = 500  # groups of a workspace; each search reads all of them
MAX_WORDS: Final = 10
MAX_WORD: Final = 80
MAX_SEARCHES: Final = 3  # versions of a question; each is a separate search
STATES_KEPT: Final = 32  # parsed sets of groups, of all workspaces; the largest has 500 groups of 10 words
PATTERNS_KEPT: Final = 1_000

Group = tuple[tuple[str, str], ...]  # each word with its folded form
# `re.IGNORECASE` treats the Turkish i with and without a dot as the same letter; `casefold` does not.
_DOTS: Final = str.maketrans({"\u0307": "", "ı": "i"})


def check_words(given: Sequence[str]) -> list[str]:
    """Return the words of a group, trimmed and without duplicates. Raises InvalidDocument."""
    known: dict[str, str] = {}
    for word in given:
        trimmed = " ".join(check_storable("words", word).split())
        known.setdefault(trimmed.casefold(), trimmed)
    words = [word for word in known.values() if word]
    if not 2 <= len(words) <= MAX_WORDS or any(len(word) > MAX_WORD for word in words):
        problem = gettext("Enter 2 to {most} different words of at most {characters} characters.").format(
            most=MAX_WORDS, characters=MAX_WORD
        )
        raise InvalidDocument(problem, fields={"words": [problem]})
    return words


def check_room() -> None:
    """Raise InvalidDocument if the workspace already has the maximum number of groups."""
    if Synonyms.objects.count() >= MAX_GROUPS:
        problem = gettext("There are {number} groups already. Remove one first.").format(number=MAX_GROUPS)
        raise InvalidDocument(problem, fields={"words": [problem]})


@transaction.atomic
def save_synonyms(group: Synonyms) -> None:
    """Store a new or changed group. Raises InvalidDocument."""
    group.words = check_words(group.words)
    if group._state.adding:
        # Without the lock, two concurrent additions could exceed the limit.
        list(Workspace.objects.select_for_update(no_key=True).filter(pk=current_workspace_id()))
        check_room()
    group.save()


def add_synonyms(given: Sequence[str]) -> Synonyms:
    """Add a group of words. Raises InvalidDocument."""
    group = Synonyms(words=list(given))
    save_synonyms(group)
    return group


def remove_synonyms(group_id: UUID) -> None:
    """Remove a group of words. Raises SynonymsMissing."""
    removed, _ = Synonyms.objects.filter(pk=group_id).delete()
    if not removed:
        raise SynonymsMissing


def with_synonyms(query: str, stored: str) -> list[str]:
    """Return up to three versions of the query, each with one of its words or phrases replaced by a synonym.

    `stored` is a JSON array of the groups; "" if there are none.
    """
    return list(islice(dict.fromkeys(_replaced(query, _stored_groups(stored))), MAX_SEARCHES)) if stored else []


def _replaced(query: str, groups: tuple[Group, ...]) -> Iterator[str]:
    folded_query = folded(query)
    for group in groups:
        for word, folded_word in group:
            if folded_word in folded_query and _word_pattern(word).search(query):
                for other, _ in group:
                    if other != word:
                        yield _word_pattern(word).sub(other.replace("\\", r"\\"), query)


@lru_cache(maxsize=STATES_KEPT)
def _stored_groups(stored: str) -> tuple[Group, ...]:
    return tuple(tuple((word, folded(word)) for word in words) for words in json.loads(stored))


@lru_cache(maxsize=PATTERNS_KEPT)
def _word_pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def folded(text: str) -> str:
    """Return the folded text. It contains the folded form of every word whose expression matches the original text."""
    return text.casefold().translate(_DOTS)
