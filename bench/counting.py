"""The product's ASGI application with counters for database statements by service and channel-layer messages.

    uvicorn bench.counting:application      `GET /bench/counts` returns the counts so far and resets them

Unlike times, counts are the same on every machine. This application is never timed.
"""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import orjson
from django.db import connection

from supportbot import asgi, async_db
from supportbot.chat import channel_layer
from supportbot.chat.selectors import heads_of
from supportbot.widget.socket.connection_registry import check_access, record_presence
from supportbot.widget.socket.waiting_time import queue_frames

# Periodic work of every process, which is not part of a turn.
_OF_THE_PROCESS: Final = frozenset([heads_of, record_presence, queue_frames, check_access])
_lock: Final = threading.Lock()
_calls: Counter[str] = Counter()
_queries: Counter[str] = Counter()
_running: Final = threading.local()
_cross: Final = async_db._run_in
_group_send: Final = channel_layer.send


async def _counted(executor: Any, service: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run one call to the database and count its statements under the service's name."""
    if service in _OF_THE_PROCESS:
        return await _cross(executor, service, *args, **kwargs)
    name = service.__qualname__.partition(".<locals>")[0]

    def run() -> Any:
        _running.service = name
        try:
            with connection.execute_wrapper(_count_statement):
                return service(*args, **kwargs)
        finally:
            with _lock:
                _calls[name] += 1

    return await _cross(executor, run)


def _count_statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    with _lock:
        _queries[_running.service] += 1
    return execute(sql, params, many, context)


async def _counted_send(group: str, message: dict[str, Any]) -> None:
    with _lock:
        _calls["layer send"] += 1
    await _group_send(group, message)


def counts() -> dict[str, dict[str, int]]:
    """Return calls and statements by service since the last call."""
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


vars(async_db)["_run_in"] = _counted  # the only crossing to the database
vars(channel_layer)["send"] = _counted_send
