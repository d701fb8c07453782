"""Finds rows by words that people wrote, or by names, in any language.

Whole words and beginnings of words match, and punctuation is ignored: "1042" and "A-1042" both find "A-1042". No
language is assumed, unlike in the search of articles (`kb/search`). An index serves a query only if both use the same
expression, so `Words` builds both.
"""

import re
import unicodedata
from typing import Final

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, TextField, Value
from django.db.models.functions import Coalesce

MAX_WORDS: Final = 6
MAX_CHARACTERS: Final = 100
MIN_PREFIX: Final = 3  # shorter prefixes match thousands of words
# At these, PostgreSQL's parser joins words into hosts, paths, addresses, numbers and tags, whose parts are not found.
_JOINING: Final = "-_@./:+?=&~<>#"
_PART: Final = re.compile(r"[^\W_]+")


class Words(Func):
    """The words of one or more columns, for an index or a query."""

    arg_joiner = " || ' ' || "
    template = f"to_tsvector('simple'::regconfig, translate(%(expressions)s, '{_JOINING}', '{' ' * len(_JOINING)}'))"
    output_field = SearchVectorField()

    def __init__(self, *columns: str) -> None:
        super().__init__(*(Coalesce(column, Value("", output_field=TextField())) for column in columns))
        self.columns = columns

    def deconstruct(self) -> tuple[str, tuple[str, ...], dict[str, object]]:  # as migrations name it
        return "supportbot.word_search.Words", self.columns, {}


class HasWord(Func):
    """True for rows that contain the word, or a word that begins with it."""

    arg_joiner = " @@ "
    template = "(%(expressions)s)"
    output_field = BooleanField()

    def __init__(self, words: Words, word: str) -> None:
        query = Func(
            Value(tsquery(word)), function="to_tsquery", template="%(function)s('simple'::regconfig, %(expressions)s)"
        )
        super().__init__(words, query)


def words_of(query: str) -> list[str]:
    """Return the words to look for, at most six; none if the query has no letter or digit."""
    text = unicodedata.normalize("NFC", query.replace("\0", "")[:MAX_CHARACTERS])
    return [word for word in text.split() if _PART.search(word)][:MAX_WORDS]


def tsquery(word: str) -> str:
    """Return a word as PostgreSQL's query: its parts in this order, the last one as a prefix."""
    parts = _PART.findall(word)
    *whole, last = (f"'{part}'" for part in parts)
    return " <-> ".join([*whole, f"{last}:*" if len(parts[-1]) >= MIN_PREFIX else last])
