"""The full-text index: indexing passages by their words (`kb.search.query_terms` parses questions).

Every passage is indexed with the text search configuration of its article's locale; titles weigh more than headings,
and headings more than text.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from django.db import connection
from django.db.models import F

from kb.indexing.models import Chunk
from supportbot.language.detection import base_language
from supportbot.language.plain_text import plain

# The text search configuration by language; PostgreSQL 16 has all of them. Any other language is indexed word by word.
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
PLAIN_CONFIGURATION = "simple"
_FILL_BATCH = 500

# PostgreSQL's parser treats "SAMD/AVR" as a file and "arduino.cc" as a host, and would not split them.
_SEPARATORS = re.compile(r"[^\w\s.,]+|_+|(?<!\d)[.,]+|[.,]+(?!\d)")


def configuration(locale: str) -> str:
    """Return the text search configuration of a locale such as "de-AT"."""
    return CONFIGURATIONS.get(base_language(locale), PLAIN_CONFIGURATION)


def loosen(text: str) -> str:
    """Return `text` with everything except words and numbers replaced by spaces, for both index and question."""
    return _SEPARATORS.sub(" ", text)


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
