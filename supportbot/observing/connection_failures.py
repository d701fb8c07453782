"""Keeps the reason why the pool could not open a connection.

If the server is unavailable, a pool only reports that no connection was free in time.
"""

from typing import Any, Self

import psycopg

_last_failure: psycopg.Error | None = None


class PooledConnection(psycopg.Connection[Any]):
    """A connection that stores the error if it cannot be opened."""

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
    """Return the error of this process's last attempt to open a connection; None if it succeeded."""
    return _last_failure
