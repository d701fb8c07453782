"""The queue of what to write to one socket.

Its size is limited, so a slow reader is disconnected before it uses much memory.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from supportbot.chat.signals import Delta, NewEvent, Signal

MAX_ITEMS: Final = 256
MAX_BYTES: Final = 256 * 1024
TOO_SLOW: Final = 4429
_ENVELOPE_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Close:
    """The last item to write."""

    code: int
    reason: str


Item = Signal | str | Close


class SendQueue:
    """Signals and encoded frames, in order.

    If the queue is full, it drops everything and closes; the log still has all events.
    """

    __slots__ = ("_arrived", "_bytes", "_is_closing", "_items")

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._is_closing = False

    def put(self, item: Item) -> None:
        if self._is_closing:
            return
        self._items.append(item)
        self._bytes += _size(item)
        self._arrived.set()
        if len(self._items) > MAX_ITEMS or self._bytes > MAX_BYTES:
            self._items.clear()
            self.close(TOO_SLOW, "too slow: resume with last_seq")

    def close(self, code: int, reason: str) -> None:
        """Write what is queued, then close. Nothing more is accepted."""
        if self._is_closing:
            return
        self._items.append(Close(code, reason))
        self._is_closing = True
        self._arrived.set()

    async def next(self) -> Item:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        item = self._items.popleft()
        self._bytes -= _size(item)
        return item

    @property
    def is_closing(self) -> bool:
        return self._is_closing


def _size(item: Item) -> int:
    """Return roughly how many bytes the item takes on the wire."""
    if isinstance(item, str):
        return len(item)
    if isinstance(item, Delta):
        return len(item.text) + _ENVELOPE_BYTES
    if isinstance(item, NewEvent) and item.event is not None:
        text = item.event.payload.get("text", "")
        parts = len(item.event.payload.get("citations", ())) * 400 + len(str(item.event.payload.get("blocks", "")))
        return len(text) + parts + _ENVELOPE_BYTES
    return _ENVELOPE_BYTES
