"""Who embeds which article right now: advisory locks of the session, so that a killed process leaves none behind.

They save work, they protect nothing: two processes that embedded the same chunk would write the same vector. Held while
the model works, hence not tied to a transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

# PostgreSQL's own hash makes the 64-bit key; the seed keeps these keys apart from other users of advisory locks.
_KEY = "hashtextextended({}::text, 27490)"


@contextmanager
def free_articles(article_ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    """Take and yield those of the articles that nobody else works on."""
    taken = f"SELECT id FROM unnest(%s::uuid[]) AS wanted(id) WHERE pg_try_advisory_lock({_KEY.format('id')})"
    with connection.cursor() as cursor:
        cursor.execute(taken, [list(article_ids)])
        held = [row[0] for row in cursor.fetchall()]
    try:
        yield held
    finally:
        _release(held)


@contextmanager
def article_locked(article_id: UUID) -> Iterator[None]:
    """Wait until nobody else works on the article, then take it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_KEY.format('%s')})", [str(article_id)])
    try:
        yield
    finally:
        _release([article_id])


def _release(article_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_advisory_unlock({_KEY.format('id')}) FROM unnest(%s::uuid[]) AS held(id)", [list(article_ids)]
        )
