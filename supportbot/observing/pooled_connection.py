"""The connections of the pool.

A pool whose server is away only says that no connection was free in time. Why none could be opened is known here.
"""

from typing import Any, Self

import psycopg

_last_failure: psycopg.Error | None = None


class PooledConnection(psycopg.Connection[Any]):
    """A connection that keeps the error if it cannot be opened."""

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        global _last_failure
        try:
            opened = super().connect(conninfo, **options)
        except psycopg.Error as error:
            _last_failure = error
            raise
        _last_failure = None
        return opened


def last_failure() -> psycopg.Error | None:
    """Return why this process's last attempt to open a connection failed, None if it succeeded."""
    return _last_failure
