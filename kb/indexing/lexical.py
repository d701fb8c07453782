"""Full text: how passages are indexed by their words and how a question is turned into terms.

Every passage is indexed with the text search configuration of its article's locale, title above headings above text. A
question is read with every configuration of its workspace, since it may be asked in one language and answered in
another; its own language decides which of its words say nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import F

from kb.models import Chunk
from supportbot.language.detection import base_language, detect
from supportbot.language.plaintext import plain
from supportbot.language.words import stop_words

# Language of a locale -> configuration; PostgreSQL 16 has them all. Any other language is indexed word by word.
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
PLAIN_CONFIGURATION = "simple"
_LANGUAGES = {name: language for language, name in reversed(CONFIGURATIONS.items())}
# A longer message is cut. Every part of it has its own words: fewer than this would leave the last ones without any.
MOST_WORDS = 300
_FILL_BATCH = 500

# PostgreSQL's parser takes "SAMD/AVR" for a file and "arduino.cc" for a host, and would keep them whole.
_GLUE = re.compile(r"[^\w\s.,]+|_+|(?<!\d)[.,]+|[.,]+(?!\d)")
_WORD = re.compile(r"\w+(?:[.,]\w+)*")


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a question with the lexemes it stands for in the languages of the workspace."""

    word: str
    lexemes: tuple[str, ...]

    @property
    def tsquery(self) -> str:
        return " | ".join(_quoted(lexeme) for lexeme in self.lexemes)


def configuration(locale: str) -> str:
    """Return the text search configuration of a locale such as "de-AT"."""
    return CONFIGURATIONS.get(base_language(locale), PLAIN_CONFIGURATION)


def loose(text: str) -> str:
    """Return `text` with everything but words and numbers loosened into spaces, for index and question alike."""
    return _GLUE.sub(" ", text)


def words(text: str) -> list[str]:
    """Return the distinct words of `text` in order, in lower case."""
    return list(dict.fromkeys(_WORD.findall(loose(text.replace("\x00", " ")).casefold())))


def fill_search_vectors(article_ids: Sequence[UUID]) -> None:
    """Index the chunk rows of these articles of the workspace by their words, inside the caller's transaction."""
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
        [loose(plain(row[2])) for row in rows],
        [loose(row[3]) for row in rows],
        [loose(plain(row[4])) for row in rows],
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


def terms(question: str, configurations: Sequence[str]) -> list[Term]:
    """Return the telling words of `question`; a question of stop words alone gives none.

    `configurations` are those of the articles in scope, first that of the language to expect; a word stands for what
    any of them makes of it.
    """
    asked = words(question)[:MOST_WORDS]
    expected = _LANGUAGES.get(configurations[0], "") if configurations else ""
    language = detect(question, expected)
    own, silent = configuration(language), stop_words(language)  # PostgreSQL has no list for Polish and some others
    wanted = tuple(dict.fromkeys([*configurations, PLAIN_CONFIGURATION]))
    lexemes = _lexemes(asked, {*wanted, own})
    return [
        Term(word, tuple(dict.fromkeys(lexeme for name in wanted for lexeme in lexemes[word][name])))
        for word in asked
        if lexemes[word][own] and word not in silent
    ]


def _lexemes(asked: Sequence[str], known: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """Return what every configuration makes of every word; nothing, for its stop words."""
    found: dict[str, dict[str, list[str]]] = {word: {} for word in asked}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w, c, tsvector_to_array(to_tsvector(c::regconfig, w))
            FROM unnest(%s::text[]) w, unnest(%s::text[]) c
            """,
            [list(asked), list(known)],
        )
        for word, name, array in cursor.fetchall():
            found[word][name] = array
    return found


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
