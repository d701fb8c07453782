"""The only way for coroutines to use the database.

Channels' own helper runs all queries of a process on one shared thread, so a single slow search would stall every chat.
This module's executor has DATABASE_POOL_SIZE threads. Context variables (including the workspace scope) and the active
language are passed on.

A thread keeps its connection between calls, because taking one from the pool costs a round trip to check it. Looking at
the socket instead costs nothing: if the server has restarted, the socket is closed.
"""

import asyncio
import select
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection
from django.utils.translation import get_language, override

from supportbot.observing.metrics import DATABASE_WAIT

P = ParamSpec("P")
T = TypeVar("T")

# After this time, a connection returns to the pool, which replaces old ones.
HOLD_SECONDS: Final = 60.0

_executor = ThreadPoolExecutor(max_workers=settings.DATABASE_POOL_SIZE, thread_name_prefix="db")
# The pool has eight more connections than the executor above has threads; the threads of this executor use some of
# these eight.
_outside_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="outside")


async def db(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous service or selector in a database thread, and return its result."""
    return await _run_in(_executor, service, *args, **kwargs)


async def outside(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous service that calls an external system. It gets one of a few separate threads, so that a slow
    shop does not block other chats.
    """
    return await _run_in(_outside_executor, service, *args, **kwargs)


async def _run_in(executor: ThreadPoolExecutor, service: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    # Django's language is a context variable that applies only in the thread that set it.
    run = partial(copy_context().run, _with_connection, time.monotonic(), get_language(), service, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(executor, run)


def _with_connection(
    asked_at: float, language: str | None, service: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run the service with this thread's connection.

    Afterwards, return the connection to the pool if it has failed or is old.
    """
    DATABASE_WAIT.labels("thread").observe(time.monotonic() - asked_at)
    if _is_closed_by_server():
        connection.close()
    try:
        with override(language):
            return service(*args, **kwargs)
    finally:
        # If autocommit is off, a transaction was interrupted before it could end.
        if connection.errors_occurred or not connection.autocommit or _is_held_too_long():
            connection.close()


def _is_closed_by_server() -> bool:
    """Return whether the connection is closed, or the server has sent data that nobody asked for, as it does before
    closing.
    """
    kept = connection.connection
    if kept is None or kept.closed:
        return kept is not None
    poll = select.poll()
    poll.register(kept.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def _is_held_too_long() -> bool:
    # At the end of a request, Django would close the connection if `close_at` has passed. With a pool, it always has;
    # without one, `close_at` is None.
    return connection.close_at is not None and time.monotonic() > connection.close_at + HOLD_SECONDS
