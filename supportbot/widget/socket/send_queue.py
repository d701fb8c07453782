"""What waits to be written to one socket: bounded, so that a reader who does not read costs little and is let go."""

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
    """The last thing to be written."""

    code: int
    reason: str


Item = Signal | str | Close


class Mailbox:
    """Signals and ready frames in order. When it is full, all of it is dropped for a close: the log has it still."""

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
        self._bytes += _weight(item)
        self._arrived.set()
        if len(self._items) > MAX_ITEMS or self._bytes > MAX_BYTES:
            self._items.clear()
            self.close(TOO_SLOW, "too slow: resume with last_seq")

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close; nothing more is taken."""
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
        self._bytes -= _weight(item)
        return item

    @property
    def is_closing(self) -> bool:
        return self._is_closing


def _weight(item: Item) -> int:
    """Return about how many bytes the item is on the wire."""
    if isinstance(item, str):
        return len(item)
    if isinstance(item, Delta):
        return len(item.text) + _ENVELOPE_BYTES
    if isinstance(item, NewEvent) and item.event is not None:
        text = item.event.payload.get("text", "")
        parts = len(item.event.payload.get("citations", ())) * 400 + len(str(item.event.payload.get("blocks", "")))
        return len(text) + parts + _ENVELOPE_BYTES
    return _ENVELOPE_BYTES
