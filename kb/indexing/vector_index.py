"""The approximate index for vectors in the database: created while the table is in use, as the owner of the tables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection
from psycopg import errors

from kb.errors import IndexNotBuilt

_VECTOR_INDEX: Final = "kb_chunk_hnsw_{:d}"
LOCK: Final = 0x72656978  # the letters "reix"
_POLL_SECONDS: Final = 1.0


def create_vector_index(dimensions: int) -> None:
    """Create the approximate index for vectors of these dimensions if it is missing, and replace an unfinished index
    that a killed run left behind. The table can be used in the meantime. Raises IndexNotBuilt.
    """
    if _has_vector_index(dimensions):
        return
    if connection.in_atomic_block:  # CONCURRENTLY is not allowed in a transaction
        with _of_owner() as owner:
            _replace_vector_index(owner, dimensions, "")
        return
    with _of_owner() as owner, _one_at_a_time(owner):
        if not _has_vector_index(dimensions):
            # This does not block writers.
            _replace_vector_index(owner, dimensions, "CONCURRENTLY")


def _has_vector_index(dimensions: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [_VECTOR_INDEX.format(dimensions)]
        )
        return bool(cursor.fetchone() == (True,))


def _replace_vector_index(owner: Any, dimensions: int, concurrently: str) -> None:  # Any: what `_of_owner` yields
    name = _VECTOR_INDEX.format(dimensions)
    owner.execute("SET statement_timeout = 0")
    owner.execute(f"DROP INDEX {concurrently} IF EXISTS {name}")
    owner.execute(
        f"CREATE INDEX {concurrently} {name} ON kb_chunk "
        f"USING hnsw ((embedding::halfvec({dimensions:d})) halfvec_cosine_ops) "
        f"WITH (m = 24, ef_construction = 128) WHERE vector_dims(embedding) = {dimensions:d}"
    )


@contextmanager
def _one_at_a_time(owner: Any) -> Iterator[None]:  # Any: what `_of_owner` yields
    """Wait until nobody else is building an index. This polls, because waiting for the lock would cause a deadlock: a
    waiting statement holds a snapshot, and an index that is built concurrently waits for all snapshots.
    """
    while True:
        row = owner.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row == (True,):
            break
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        with suppress(AnyDatabaseError, psycopg.Error):  # the connection is lost, and the lock with it
            owner.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


@contextmanager
def _of_owner() -> Iterator[Any]:  # Any: psycopg's connection or its cursor, as Django wraps it
    """Yield a connection or cursor that executes statements as the owner of the tables. Only the owner may build an
    index, and the application may use a different role.
    """
    address = settings.DATABASE_OWNER_URL
    try:
        if address and not connection.in_atomic_block:
            with connection.wrap_database_errors, _opened(address) as owner:
                yield owner
        else:
            with connection.cursor() as cursor, _without_limits(cursor):
                yield cursor
    except AnyDatabaseError as error:
        if not isinstance(error.__cause__, errors.InsufficientPrivilege):
            raise
        raise IndexNotBuilt from error


@contextmanager
def _without_limits(cursor: Any) -> Iterator[None]:  # Any: as Django wraps it
    """Lift the limits of the application's connections, since an index waits for old transactions and takes time."""
    cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
    before = cursor.fetchone()
    cursor.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")
    try:
        yield
    finally:
        # the connection is lost or its transaction failed, so the settings are gone, too
        with suppress(AnyDatabaseError):
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)", before
            )


def _opened(address: str) -> "psycopg.Connection[Any]":
    try:
        return psycopg.connect(address, autocommit=True)
    except psycopg.Error as error:
        raise IndexNotBuilt from error
