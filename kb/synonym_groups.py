"""The workspace's synonyms, as people and programs change them; search applies them (`kb.search.synonyms`)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from kb.documents import check_storable
from kb.errors import InvalidDocument, SynonymsMissing
from kb.models import Synonyms
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id

MAX_GROUPS: Final = 500  # each search reads them all
MAX_WORDS: Final = 10
MAX_WORD: Final = 80


def check_words(given: Sequence[str]) -> list[str]:
    """Return the words of a group, trimmed and without duplicates. Raises InvalidDocument."""
    known: dict[str, str] = {}
    for word in given:
        trimmed = " ".join(check_storable("words", word).split())
        known.setdefault(trimmed.casefold(), trimmed)
    words = [word for word in known.values() if word]
    if not 2 <= len(words) <= MAX_WORDS or any(len(word) > MAX_WORD for word in words):
        problem = gettext("Name 2 to {most} different words of at most {characters} characters.").format(
            most=MAX_WORDS, characters=MAX_WORD
        )
        raise InvalidDocument(problem, fields={"words": [problem]})
    return words


def check_room() -> None:
    """Raise InvalidDocument if the workspace has as many groups as it may have."""
    if Synonyms.objects.count() >= MAX_GROUPS:
        problem = gettext("There are {number} groups already. Remove one first.").format(number=MAX_GROUPS)
        raise InvalidDocument(problem, fields={"words": [problem]})


@transaction.atomic
def save_synonyms(group: Synonyms) -> None:
    """Store a new or changed group. Raises InvalidDocument."""
    group.words = check_words(group.words)
    if group._state.adding:
        # Two at once would both find room for one.
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
