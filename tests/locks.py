"""Locks in tests, which behave as in production: outside a transaction of the code, they are refused."""

from typing import Any

from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError


def refuse_locks_outside_transactions() -> None:
    """Refuse `select_for_update` outside a transaction of the code, as Django does in production. Otherwise, the
    transaction around each test would hide the mistake.
    """
    as_sql = SQLCompiler.as_sql

    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        blocks = self.connection.atomic_blocks
        if self.query.select_for_update and all(block._from_testcase for block in blocks):
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        return as_sql(self, *args, **kwargs)

    SQLCompiler.as_sql = checked


def has_waiting_locks(kind: str = "") -> bool:
    """Return whether a transaction in the test's database waits for another one's lock, of this kind if one is given.

    Workers share the server, so the locks of other databases, which are in `pg_locks` too, do not count.
    """
    waiting = "datname = current_database() AND wait_event_type = 'Lock' AND wait_event LIKE %s"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction would see the same activity each time
        cursor.execute(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {waiting})", [kind or "%"])
        return bool(cursor.fetchone() == (True,))
