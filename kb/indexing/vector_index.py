"""The approximate index over vectors: one for each number of dimensions, built while the table is in use.

Only the role that owns the table may build it, which need not be the application's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from psycopg import errors

from kb.errors import IndexNotBuilt

_NAME: Final = "kb_chunk_hnsw_{:d}"


def create_vector_index(dimensions: int) -> None:
    """Create the index for these dimensions if missing; it replaces what a killed run left. Raises IndexNotBuilt."""
    name = _NAME.format(dimensions)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        if cursor.fetchone() == (True,):
            return
    # Outside a transaction, writers are not blocked.
    concurrently = "" if connection.in_atomic_block else "CONCURRENTLY"
    with _of_owner() as owner:
        owner.execute("SET statement_timeout = 0")
        owner.execute(f"DROP INDEX {concurrently} IF EXISTS {name}")
        owner.execute(
            f"CREATE INDEX {concurrently} {name} ON kb_chunk "
            f"USING hnsw ((embedding::halfvec({dimensions:d})) halfvec_cosine_ops) "
            f"WITH (m = 24, ef_construction = 128) WHERE vector_dims(embedding) = {dimensions:d}"
        )


@contextmanager
def _of_owner() -> Iterator[Any]:  # Any: a cursor of Django's or a connection of psycopg's
    """Yield something that executes statements as the owner of the tables."""
    address = settings.DATABASE_OWNER_URL
    try:
        if address and not connection.in_atomic_block:
            with psycopg.connect(address, autocommit=True) as owner:
                yield owner
        else:
            with connection.cursor() as cursor:
                yield cursor
    except (errors.InsufficientPrivilege, psycopg.OperationalError) as error:
        raise IndexNotBuilt from error
    except AnyDatabaseError as error:
        if not isinstance(error.__cause__, errors.InsufficientPrivilege):
            raise
        raise IndexNotBuilt from error
