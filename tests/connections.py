"""Let a request's thread pass its database connection on.

A served application handles each request in a thread of its own, whose connection would end with it. A new connection
costs as much as a whole request: PostgreSQL starts a process, which knows no table yet.
"""

import threading
from collections import deque
from typing import Any, Final

from django.core.signals import request_finished
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg.pq import TransactionStatus

KEPT: Final = 4  # as many as the database threads keep: all workers share a hundred

_free: "deque[tuple[dict[str, Any], Any]]" = deque()
_open = DatabaseWrapper.get_new_connection


def pass_connections_on() -> None:
    request_finished.connect(_leave)
    DatabaseWrapper.get_new_connection = _take


def _leave(**_: Any) -> None:
    """Leave the connection of this thread's request to another thread, if no statement or transaction is pending."""
    raw = connection.connection
    is_a_tests_own = threading.current_thread() is threading.main_thread() or connection.in_atomic_block
    if is_a_tests_own or raw is None or raw.info.transaction_status != TransactionStatus.IDLE or len(_free) >= KEPT:
        return
    connection.connection = None
    _free.append((connection.get_connection_params(), raw))


def _take(self: DatabaseWrapper, conn_params: dict[str, Any]) -> Any:
    while _free:
        params, raw = _free.pop()
        if params == conn_params and not raw.closed:
            self.isolation_level = IsolationLevel.READ_COMMITTED
            return raw
        raw.close()
    return _open(self, conn_params)
