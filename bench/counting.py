"""The product's ASGI application, counting: what each service asks of the database, and what goes through the layer.

    uvicorn bench.counting:application      `GET /bench/counts` returns the counts so far and begins anew

Counts, unlike times, are the same on every machine. This application is never timed.
"""

import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import orjson
from channels.db import database_sync_to_async
from django.db import connection

from supportbot import asgi, asyncdb
from supportbot.chat import layer
from supportbot.chat.selectors import heads_of
from supportbot.widget.socket.connection_registry import check_access, record_presence
from supportbot.widget.socket.queue_position import queue_frames

# Rounds that a process makes whether or not anybody chats: they belong to no turn.
_OF_THE_PROCESS: Final = frozenset([heads_of, record_presence, queue_frames, check_access])
_lock: Final = threading.Lock()
_calls: Counter[str] = Counter()
_queries: Counter[str] = Counter()
_running: Final = threading.local()
_cross: Final = database_sync_to_async
_group_send: Final = layer.send


def _counted(service: Callable[..., Any], **options: Any) -> Any:
    """Wrap one crossing to the database: its statements are counted under the service's name."""
    if service in _OF_THE_PROCESS:
        return _cross(service, **options)
    name = service.__qualname__.partition(".<locals>")[0]

    @functools.wraps(service)
    def run(*args: Any, **kwargs: Any) -> Any:
        _running.service = name
        try:
            with connection.execute_wrapper(_count_statement):
                return service(*args, **kwargs)
        finally:
            with _lock:
                _calls[name] += 1

    return _cross(run, **options)


def _count_statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    with _lock:
        _queries[_running.service] += 1
    return execute(sql, params, many, context)


async def _counted_send(group: str, message: dict[str, Any]) -> None:
    with _lock:
        _calls["layer send"] += 1
    await _group_send(group, message)


def counts() -> dict[str, dict[str, int]]:
    """Return calls and statements by service since the last time."""
    with _lock:
        found = {name: {"calls": calls, "statements": _queries[name]} for name, calls in sorted(_calls.items())}
        _calls.clear()
        _queries.clear()
    return found


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/bench/counts":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": orjson.dumps(counts())})
    else:
        await asgi.application(scope, receive, send)  # type: ignore[arg-type]  # Channels types its own scopes


vars(asyncdb)["database_sync_to_async"] = _counted  # the one crossing there is
vars(layer)["send"] = _counted_send
