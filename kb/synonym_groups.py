"""The workspace's synonyms, as people and programs change them; search applies them (`kb.search.synonyms`)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.utils.translation import gettext

from kb.documents import check_storable
from kb.errors import InvalidDocument, SynonymsMissing
from kb.models import Synonyms

MAX_GROUPS: Final = 500  # each search reads them all
MAX_WORDS: Final = 10
MAX_WORD: Final = 80


def check_words(given: Sequence[str]) -> list[str]:
    """Return the words of a group, trimmed and without duplicates. Raises InvalidDocument."""
    trimmed = [" ".join(check_storable("words", word).split()) for word in given]
    words = list({word.casefold(): word for word in reversed(trimmed) if word}.values())[::-1]
    if not 2 <= len(words) <= MAX_WORDS or any(len(word) > MAX_WORD for word in words):
        problem = gettext("Name 2 to {most} different words of at most {characters} characters.").format(
            most=MAX_WORDS, characters=MAX_WORD
        )
        raise InvalidDocument(problem, fields={"words": [problem]})
    return words


def add_synonyms(given: Sequence[str]) -> Synonyms:
    """Add a group of words. Raises InvalidDocument."""
    words = check_words(given)
    if Synonyms.objects.count() >= MAX_GROUPS:
        problem = gettext("There are {number} groups already. Remove one first.").format(number=MAX_GROUPS)
        raise InvalidDocument(problem, fields={"words": [problem]})
    made: Synonyms = Synonyms.objects.create(words=words)
    return made


def remove_synonyms(group_id: UUID) -> None:
    """Remove a group of words. Raises SynonymsMissing."""
    removed, _ = Synonyms.objects.filter(pk=group_id).delete()
    if not removed:
        raise SynonymsMissing
