"""The only task that writes to a socket, so that responses and the conversation's events stay in order. A slow
reader blocks only this task, and the send queue limits how much can pile up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from django.db import Error as AnyDatabaseError

from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Erased, NewEvent, Signal
from supportbot.observing.database_errors import trouble
from supportbot.widget.errors import ConversationErased
from supportbot.widget.socket.feed import Feed
from supportbot.widget.socket.protocol import ServerFrame, encode, error_frame
from supportbot.widget.socket.send_queue import Close, SendQueue

logger = logging.getLogger(__name__)
RETRY_SECONDS: Final = 1.0


class Writer:
    """Writes queued frames and, once it has a feed, the frames for signals about the conversation."""

    def __init__(
        self, send_text: Callable[[str], Awaitable[None]], close: Callable[[int, str], Awaitable[None]]
    ) -> None:
        self._send_text, self._close = send_text, close
        self._queue = SendQueue()
        self._early: list[Signal] = []
        self._conversation_id: UUID | None = None
        self._feed: Feed | None = None
        self._writing_since: float | None = None

    def send(self, frame: ServerFrame) -> None:
        self._queue.put(encode(frame))

    def close(self, code: int, reason: str) -> None:
        """Write what is queued, then close the socket. Nothing more is accepted."""
        self._queue.close(code, reason)
        self.unsubscribe()

    def close_as_erased(self) -> None:
        """Tell the client that the conversation was erased, and close."""
        error = ConversationErased()
        self.send(error_frame(error))
        self.close(error.close_code, error.code)

    @property
    def is_closing(self) -> bool:
        return self._queue.is_closing

    @property
    def seq(self) -> int:
        """The last event sent; 0 if there is no feed yet."""
        return self._feed.seq if self._feed else 0

    @property
    def is_turn_remote(self) -> bool:
        """Return whether this conversation's turn may run in another process."""
        return self._feed is not None and self._feed.is_turn_remote

    def stuck_seconds(self, now: float) -> float:
        """Return for how many seconds the client has not read the current frame."""
        return now - self._writing_since if self._writing_since is not None else 0.0

    async def subscribe(self, conversation_id: UUID) -> None:
        """Subscribe to the conversation's signals, but hold them back until `follow` is called.

        The log is read in between.
        """
        self._conversation_id = conversation_id
        await signal_broker().listen(conversation_id, self._on_signal)

    def follow(self, feed: Feed, *, head: int) -> None:
        """Send the events up to `head` that the feed is missing, then the signals since `subscribe`."""
        self._feed = feed
        self._queue.put(NewEvent(head, None))
        early, self._early = self._early, []
        for signal in early:
            self._queue.put(signal)
        if feed.is_answer_in_progress:  # for a turn in another process, the snapshot lacks the last second
            feed.request_missing_text()

    def unsubscribe(self) -> None:
        """Stop receiving signals."""
        if self._conversation_id is not None:
            signal_broker().unlisten(self._conversation_id, self._on_signal)
            self._conversation_id = None

    def _on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Erased):
            self.close_as_erased()
        elif self._feed is None:
            self._early.append(signal)
        else:
            self._queue.put(signal)

    async def run(self) -> None:
        """Write until the socket's close has been written or the client has disconnected."""
        try:
            while await self._write_next():
                pass
        except OSError:  # the peer has disconnected; the socket's own task will notice, too
            return

    async def _write_next(self) -> bool:
        item = await self._queue.next()
        if isinstance(item, Close):
            await self._timed(self._close(item.code, item.reason))
            return False
        if isinstance(item, str):
            await self._timed(self._send_text(item))
            return True
        assert self._feed is not None  # no signals arrive before the writer has a feed
        try:
            frames = await self._feed.frames(item)
        except AnyDatabaseError as error:
            if not trouble.explains(error):
                logger.warning("widget: the log could not be read: %s", type(error).__name__)
            self._retry_later(item)
            return True
        for frame in frames:
            await self._timed(self._send_text(encode(frame)))
        return True

    def _retry_later(self, signal: Signal) -> None:
        """Queue the signal again later.

        It has not been sent, and later frames, such as errors, must not wait for it.
        """
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._queue.put, signal)

    async def _timed(self, writing: Awaitable[None]) -> None:
        self._writing_since = asyncio.get_running_loop().time()
        await writing
        self._writing_since = None
