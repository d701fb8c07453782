"""The transactions of other processes, which a migration may have to wait for."""

from dataclasses import dataclass
from typing import Any

import psycopg
from django.db.backends.utils import CursorWrapper

_COLUMNS = "pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int"
# Building an index concurrently does not wait for autovacuum.
_OLDEST = f"""
SELECT {_COLUMNS} FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '1 second'
  AND backend_type <> 'autovacuum worker'
ORDER BY xact_start LIMIT 1
"""
_BLOCKING = f"""
SELECT {_COLUMNS} FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(%s)) ORDER BY xact_start NULLS LAST, pid
"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction: its process in PostgreSQL, the program's own name ("" if none), and its age, or None if this
    role may not see it.
    """

    pid: int
    program: str
    seconds: int | None


def oldest_transaction(cursor: CursorWrapper) -> Transaction | None:
    """Return the oldest transaction of another connection to this database that is older than a second. Return None if
    there is none, or if this role may not see other roles' transactions (a superuser and members of pg_read_all_stats
    may).
    """
    cursor.execute(_OLDEST)
    row = cursor.fetchone()
    return None if row is None else Transaction(*row)


def blocking_transactions(connection: "psycopg.Connection[Any]", pid: int) -> list[Transaction]:
    """Return the transactions whose locks the process `pid` is waiting for right now, oldest first; [] if it is not
    waiting. Any role may call this.
    """
    return [Transaction(*row) for row in connection.execute(_BLOCKING, [pid])]
