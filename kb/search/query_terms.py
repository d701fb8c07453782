"""The terms of a question for the full-text search: its words, each with the lexemes that PostgreSQL makes of it.

A question is parsed with every configuration of its workspace, since question and answer may be in different languages.
The question's own language decides which words are stop words. PostgreSQL has no stemmer for some languages, such as
Polish: passages in them are indexed word by word, and a term also matches every word that begins with its stem.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kb.indexing.full_text import CONFIGURATIONS, PLAIN_CONFIGURATION, configuration, loosen
from supportbot import sql
from supportbot.language.detection import detect
from supportbot.language.words import has_stemmer, stem, stop_words

_LANGUAGES = {name: language for language, name in reversed(CONFIGURATIONS.items())}
# A longer message is cut off. With a lower limit, the last parts of a long message would have no words.
MAX_WORDS = 300
_WORD = re.compile(r"\w+(?:[.,]\w+)*")
# A word's lexemes in each configuration; dictionaries change only with PostgreSQL's version.
_LEXEMES: dict[tuple[str, str], tuple[str, ...]] = {}
_LEXEMES_MOST = 50_000  # about 10 MB
# Letters; too many words begin with a shorter stem.
_SHORTEST_BEGINNING = 4


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a question, and the query for its lexemes in the languages of the workspace. If we can stem its
    language and PostgreSQL cannot, the query also finds all words that begin with its stem.
    """

    word: str
    tsquery: str


def words(text: str) -> list[str]:
    """Return the distinct words of `text` in order, in lower case."""
    return list(dict.fromkeys(_WORD.findall(loosen(text.replace("\x00", " ")).casefold())))


def terms(questions: Sequence[str], configurations: Sequence[str]) -> list[list[Term]]:
    """Return the query terms of each question; a question that has only stop words has none.

    `configurations` belong to the articles in scope, the expected language's first; a term has the lexemes that any of
    them produces.
    """
    expected = _LANGUAGES.get(configurations[0], "") if configurations else ""
    asked = [(words(question)[:MAX_WORDS], detect(question, expected)) for question in questions]
    wanted = tuple(dict.fromkeys([*configurations, PLAIN_CONFIGURATION]))
    every_word = {word for tokens, _ in asked for word in tokens}
    lexemes = _lexemes(every_word, {*wanted, *(configuration(language) for _, language in asked)})
    return [_terms(tokens, language, wanted, lexemes) for tokens, language in asked]


def _terms(
    tokens: Sequence[str], language: str, wanted: Sequence[str], lexemes: dict[str, dict[str, tuple[str, ...]]]
) -> list[Term]:
    own, ignored = configuration(language), stop_words(language)  # PostgreSQL has no list for Polish and some others
    return [
        Term(
            word,
            tsquery_of(
                tuple(dict.fromkeys(lexeme for name in wanted for lexeme in lexemes[word][name])),
                _beginning(word, language) if own == PLAIN_CONFIGURATION and has_stemmer(language) else "",
            ),
        )
        for word in tokens
        if lexemes[word][own] and word not in ignored
    ]


@lru_cache(maxsize=4_096)  # questions use the same words again and again
def tsquery_of(lexemes: tuple[str, ...], beginning: str = "") -> str:
    """Return the query for any of the lexemes, or for a word with this beginning; an empty beginning is ignored."""
    return " | ".join([*map(_quoted, lexemes), *([f"{_quoted(beginning)}:*"] if beginning else [])])


def _beginning(word: str, language: str) -> str:
    """Return the stem of a word, if it is long enough and all forms of the word begin with it."""
    stemmed = stem(word, language)
    return stemmed if len(stemmed) >= _SHORTEST_BEGINNING and word.startswith(stemmed) else ""


def _lexemes(tokens: Collection[str], known: Collection[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the lexemes of every word in every configuration; a stop word has none."""
    wanted = [(word, name) for word in tokens for name in known]
    found = {pair: lexemes for pair in wanted if (lexemes := _LEXEMES.get(pair)) is not None}
    if missing := [pair for pair in wanted if pair not in found]:
        found |= _lexemes_from_database(missing)
    return {word: {name: found[word, name] for name in known} for word in tokens}


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
