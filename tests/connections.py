"""Let threads reuse the database connections of threads that have ended.

A served application handles each request in a thread of its own, and a test may use many database threads. Their
connections would be closed with the request or the test, and a new one costs as much as a whole request: PostgreSQL
starts a process that has loaded no table's metadata yet.
"""

import select
import threading
from collections import deque
from typing import Any, Final

from django.core.signals import request_finished
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg.pq import TransactionStatus

# As many as the threads of a test: with fewer, each test that runs turns would open several again.
KEPT: Final = 20

_free: "deque[tuple[dict[str, Any], Any]]" = deque()
_open = DatabaseWrapper.get_new_connection


def pass_connections_on() -> None:
    request_finished.connect(_finish_request)
    DatabaseWrapper.get_new_connection = _take


def leave_connection() -> None:
    """Leave this thread's connection to another thread; close it if there are enough or a transaction is open."""
    raw = connection.connection
    is_clean = raw is not None and not connection.in_atomic_block and connection.autocommit
    if is_clean and raw.info.transaction_status == TransactionStatus.IDLE and len(_free) < KEPT:
        connection.connection = None
        _free.append((connection.get_connection_params(), raw))
    connections.close_all()


def _finish_request(**_: Any) -> None:
    if threading.current_thread() is not threading.main_thread() and not connection.in_atomic_block:
        leave_connection()


def _take(self: DatabaseWrapper, conn_params: dict[str, Any]) -> Any:
    while _free:
        params, raw = _free.pop()
        if params == conn_params and _is_open(raw):
            self.isolation_level = IsolationLevel.READ_COMMITTED
            return raw
        raw.close()
    return _open(self, conn_params)


def _is_open(raw: Any) -> bool:
    """Return whether the server has sent nothing unrequested: it sends something before it closes a connection."""
    if raw.closed:
        return False
    poll = select.poll()
    poll.register(raw.pgconn.socket, select.POLLIN)
    return not poll.poll(0)
