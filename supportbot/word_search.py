"""Finds rows by words in people's texts, or by names, in any language.

Whole words and beginnings of words match, and punctuation is ignored: "1042" and "A-1042" both find "A-1042". Unlike
the search of articles (`kb/search`), it does not depend on a language. An index is used for a query only if both have
the same expression, so `Words` builds both.
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
# With these characters, PostgreSQL's parser joins words into hosts, paths, addresses, numbers and tags, whose parts are
# not found.
_JOINING: Final = "-_@./:+?=&~<>#"
_PART: Final = re.compile(r"[^\W_]+")


class Words(Func):
    """The words in one or more columns, for an index or a query."""

    arg_joiner = " || ' ' || "
    template = f"to_tsvector('simple'::regconfig, translate(%(expressions)s, '{_JOINING}', '{' ' * len(_JOINING)}'))"
    output_field = SearchVectorField()

    def __init__(self, *columns: str) -> None:
        super().__init__(*(Coalesce(column, Value("", output_field=TextField())) for column in columns))
        self.columns = columns

    def deconstruct(self) -> tuple[str, tuple[str, ...], dict[str, object]]:  # the name used in migrations
        return "supportbot.word_search.Words", self.columns, {}


class HasWord(Func):
    """True for rows that contain the word, or a word beginning with it."""

    arg_joiner = " @@ "
    template = "(%(expressions)s)"
    output_field = BooleanField()

    def __init__(self, words: Words, word: str) -> None:
        query = Func(
            Value(tsquery(word)), function="to_tsquery", template="%(function)s('simple'::regconfig, %(expressions)s)"
        )
        super().__init__(words, query)


def words_of(query: str) -> list[str]:
    """Return the words to search for, at most six; [] if the query contains no letters or digits."""
    text = unicodedata.normalize("NFC", query.replace("\0", "")[:MAX_CHARACTERS])
    return [word for word in text.split() if _PART.search(word)][:MAX_WORDS]


def tsquery(word: str) -> str:
    """Return the PostgreSQL query for a word: its parts in order, the last one as a prefix if it is long enough."""
    parts = _PART.findall(word)
    *whole, last = (f"'{part}'" for part in parts)
    return " <-> ".join([*whole, f"{last}:*" if len(parts[-1]) >= MIN_PREFIX else last])
