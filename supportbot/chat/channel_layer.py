"""Wraps the channel layer so that it neither fails nor delays a caller, because it carries only notifications.

Without the wrapper, a layer that is down would raise an error in the sender and kill its socket, and one that does not
respond would prevent sockets from opening. Readers recover lost notifications from the log.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, Final

import redis
from channels.layers import BaseChannelLayer, get_channel_layer
from prometheus_client import Counter

from supportbot.observing.broker_outages import layer_trouble

logger = logging.getLogger(__name__)
LOST = Counter("supportbot_layer_lost_total", "Messages that the channel layer did not accept", ["operation"])
# RuntimeError: while a connection is breaking, the event loop refuses to write to it or to read from it twice.
LAYER_ERRORS: Final = (redis.RedisError, OSError, asyncio.TimeoutError, RuntimeError)
RECEIVE_PAUSE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2.0

_outside: asyncio.AbstractEventLoop | None = None
_outside_lock = threading.Lock()


def _layer() -> BaseChannelLayer:
    layer = get_channel_layer()
    assert layer is not None  # the settings always configure one
    return layer


async def send(group: str, message: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _layer().group_send(group, message)
        layer_trouble.has_responded()
    except LAYER_ERRORS:
        LOST.labels("send").inc()


async def join(group: str, channel: str) -> bool:
    """Add the channel to the group; return whether this succeeded. If not, the caller tries again later."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _layer().group_add(group, channel)
    except LAYER_ERRORS:
        LOST.labels("join").inc()
        return False
    layer_trouble.has_responded()
    return True


async def leave(group: str, channel: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _layer().group_discard(group, channel)
    except LAYER_ERRORS:
        LOST.labels("leave").inc()


async def new_channel() -> str:
    """Return a new channel for this process; "" while the layer is unavailable."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _layer().new_channel()
    except LAYER_ERRORS:
        LOST.labels("new_channel").inc()
        return ""


async def receive(channel: str) -> dict[str, Any]:
    """Return the next message, retrying while the layer is unavailable."""
    while True:
        try:
            message: dict[str, Any] = await _layer().receive(channel)
            return message
        except LAYER_ERRORS:
            LOST.labels("receive").inc()
            await asyncio.sleep(RECEIVE_PAUSE_SECONDS)


def send_from_outside(group: str, message: dict[str, Any]) -> None:
    """Send from a process without an event loop, such as a worker or command; return at once."""
    _spawn(send(group, message))


def _spawn(coroutine: Coroutine[Any, Any, None]) -> None:
    global _outside
    with _outside_lock:
        if _outside is None:
            _outside = asyncio.new_event_loop()
            threading.Thread(target=_outside.run_forever, name="layer-sender", daemon=True).start()
    asyncio.run_coroutine_threadsafe(coroutine, _outside)
