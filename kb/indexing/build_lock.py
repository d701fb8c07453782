"""A lock that lets only one process at a time, a worker or `kb_reindex`, rebuild the index of all workspaces or choose
another model. Both decide based on the active recipe, so two at once would undo each other's switch.

The lock is an advisory lock of the session that builds, so a killed process leaves none behind. Nobody waits for it: a
waiting statement holds a snapshot, and an index that is built concurrently waits for all snapshots.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import Error as AnyDatabaseError
from django.db import connection

LOCK: Final = 0x73776974  # the letters "swit"


@contextmanager
def alone() -> Iterator[bool]:
    """Yield True if no other process is building, and none can begin while the block runs; False if one is building."""
    is_alone = _has("SELECT pg_try_advisory_lock(%s)")
    try:
        yield is_alone
    finally:
        if is_alone:
            with suppress(AnyDatabaseError):  # the connection is lost, and so is the lock
                _has("SELECT pg_advisory_unlock(%s)")


def nobody_builds() -> bool:
    """Return whether no other process is building; if so, none can begin before the caller's transaction ends."""
    return _has("SELECT pg_try_advisory_xact_lock(%s)")


def _has(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [LOCK])
        return bool(cursor.fetchone() == (True,))
