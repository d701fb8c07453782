"""The transactions of other processes, which a migration may have to wait for."""

from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

_OLDEST = """
SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '1 second'
ORDER BY xact_start LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction: its process in PostgreSQL, the program's name for itself ("" if none), and its age."""

    pid: int
    program: str
    seconds: int


def oldest_transaction(cursor: CursorWrapper) -> Transaction | None:
    """Return the oldest transaction of another connection to this database that is older than a second. Return None if
    there is none, or if this role may not see other roles' transactions (a superuser and members of pg_read_all_stats
    may).
    """
    cursor.execute(_OLDEST)
    row = cursor.fetchone()
    return None if row is None else Transaction(*row)
