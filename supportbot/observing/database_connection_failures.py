"""Remembers why the pool could not open a connection.

If the server is unavailable, a pool reports only that no connection was free in time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg

_last_failure: psycopg.Error | None = None


class PooledConnection(psycopg.Connection[Any]):
    """A connection that remembers the error if it cannot be opened."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        with noted():
            return super().connect(conninfo, **options)


@contextmanager
def noted() -> Iterator[None]:
    """Within this block, remember a database error that is raised."""
    global _last_failure
    try:
        yield
    except psycopg.Error as error:
        _last_failure = error
        raise


def forget_failure() -> None:
    """Forget the error, because a connection was opened and used. Opening alone proves nothing: a pooler may accept a
    connection although it has no server for it.
    """
    global _last_failure
    _last_failure = None


def last_failure() -> psycopg.Error | None:
    """Return the error of this process's last attempt to open a connection, or None if the attempt succeeded."""
    return _last_failure
