"""Full-text search: indexing passages by their words, and turning a question into query terms.

Every passage is indexed with the text search configuration of its article's locale; titles weigh more than headings,
and headings more than text. A question is parsed with every configuration of its workspace, since question and answer
may be in different languages. The question's own language decides which words are stop words.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.db import connection
from django.db.models import F

from kb.indexing.models import Chunk
from supportbot import sql
from supportbot.language.detection import base_language, detect
from supportbot.language.plain_text import plain
from supportbot.language.words import stop_words

# The text search configuration by language; PostgreSQL 16 has all of them. Any other language is indexed word by word.
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
PLAIN_CONFIGURATION = "simple"
_LANGUAGES = {name: language for language, name in reversed(CONFIGURATIONS.items())}
# A longer message is cut off. With a lower limit, the last parts of a long message would have no words.
MAX_WORDS = 300
_FILL_BATCH = 500

# PostgreSQL's parser treats "SAMD/AVR" as a file and "arduino.cc" as a host, and would not split them.
_SEPARATORS = re.compile(r"[^\w\s.,]+|_+|(?<!\d)[.,]+|[.,]+(?!\d)")
_WORD = re.compile(r"\w+(?:[.,]\w+)*")

# A word's lexemes in each configuration; dictionaries change only with PostgreSQL's version.
_LEXEMES: dict[tuple[str, str], tuple[str, ...]] = {}
_LEXEMES_MOST = 50_000  # about 10 MB


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a question with its lexemes in the languages of the workspace."""

    word: str
    lexemes: tuple[str, ...]

    @property
    def tsquery(self) -> str:
        return _any_of(self.lexemes)


@lru_cache(maxsize=4_096)  # questions use the same words again and again, and a search needs each several times
def _any_of(lexemes: tuple[str, ...]) -> str:
    return " | ".join(map(_quoted, lexemes))


def configuration(locale: str) -> str:
    """Return the text search configuration of a locale such as "de-AT"."""
    return CONFIGURATIONS.get(base_language(locale), PLAIN_CONFIGURATION)


def loosen(text: str) -> str:
    """Return `text` with everything except words and numbers replaced by spaces, for both index and question."""
    return _SEPARATORS.sub(" ", text)


def words(text: str) -> list[str]:
    """Return the distinct words of `text` in order, in lower case."""
    return list(dict.fromkeys(_WORD.findall(loosen(text.replace("\x00", " ")).casefold())))


def fill_search_vectors(article_ids: Sequence[UUID]) -> None:
    """Fill the text search vectors of these articles' chunk rows, inside the caller's transaction."""
    rows = Chunk.objects.filter(article__in=article_ids, article__revisions__number=F("revision_number")).values_list(
        "pk", "article__locale", "article__revisions__title", "heading_path", "text"
    )
    found = list(rows.order_by("pk"))
    for at in range(0, len(found), _FILL_BATCH):
        _fill(found[at : at + _FILL_BATCH])


def _fill(rows: Sequence[tuple[UUID, str, str, str, str]]) -> None:
    columns = (
        [row[0] for row in rows],
        [configuration(row[1]) for row in rows],
        [loosen(plain(row[2])) for row in rows],
        [loosen(row[3]) for row in rows],
        [loosen(plain(row[4])) for row in rows],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE kb_chunk SET search_vector =
                setweight(to_tsvector(v.config::regconfig, v.title), 'A')
                || setweight(to_tsvector(v.config::regconfig, v.heading), 'B')
                || setweight(to_tsvector(v.config::regconfig, v.body), 'D')
            FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[])
                AS v(id, config, title, heading, body)
            WHERE kb_chunk.id = v.id
            """,
            columns,
        )


def terms(questions: Sequence[str], configurations: Sequence[str]) -> list[list[Term]]:
    """Return the query terms of each question; none for one that has only stop words.

    `configurations` belong to the articles in scope, the expected language's first; a term has the lexemes that any of
    them produces.
    """
    expected = _LANGUAGES.get(configurations[0], "") if configurations else ""
    asked = [(words(question)[:MAX_WORDS], detect(question, expected)) for question in questions]
    wanted = tuple(dict.fromkeys([*configurations, PLAIN_CONFIGURATION]))
    every_word = {word for said, _ in asked for word in said}
    lexemes = _lexemes(every_word, {*wanted, *(configuration(language) for _, language in asked)})
    return [_terms(said, language, wanted, lexemes) for said, language in asked]


def _terms(
    asked: Sequence[str], language: str, wanted: Sequence[str], lexemes: dict[str, dict[str, tuple[str, ...]]]
) -> list[Term]:
    own, ignored = configuration(language), stop_words(language)  # PostgreSQL has no list for Polish and some others
    return [
        Term(word, tuple(dict.fromkeys(lexeme for name in wanted for lexeme in lexemes[word][name])))
        for word in asked
        if lexemes[word][own] and word not in ignored
    ]


def _lexemes(asked: Collection[str], known: Collection[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the lexemes of every word in every configuration; a stop word has none."""
    wanted = [(word, name) for word in asked for name in known]
    found = {pair: lexemes for pair in wanted if (lexemes := _LEXEMES.get(pair)) is not None}
    if missing := [pair for pair in wanted if pair not in found]:
        found |= _lexemes_from_database(missing)
    return {word: {name: found[word, name] for name in known} for word in asked}


def _lexemes_from_database(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the lexemes of each (word, configuration), and cache them, since questions use the same words again and
    again.
    """
    rows = sql.fetch(
        """
        SELECT w, c, tsvector_to_array(to_tsvector(c::regconfig, w)) FROM unnest(%s::text[], %s::text[]) AS t(w, c)
        """,
        [[word for word, _ in pairs], [name for _, name in pairs]],
    )
    found = {(word, name): tuple(lexemes) for word, name, lexemes in rows}
    if len(_LEXEMES) + len(found) > _LEXEMES_MOST:
        _LEXEMES.clear()
    _LEXEMES.update(found)
    return found


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
