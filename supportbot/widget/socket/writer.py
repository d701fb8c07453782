"""The one task that writes to a socket: replies and the conversation's news leave in one order.

A reader who does not read stops only this task. What waits meanwhile is bounded by the mailbox.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from django.db import Error as AnyDatabaseError

from supportbot.accounts.scope import workspace_scope
from supportbot.chat.signals import Erased, NewEvent, Signal
from supportbot.chat.stream import switchboard
from supportbot.widget.errors import ConversationErased
from supportbot.widget.socket.feed import Feed
from supportbot.widget.socket.protocol import ServerFrame, encode
from supportbot.widget.socket.refusals import refusal
from supportbot.widget.socket.send_queue import Close, Mailbox

logger = logging.getLogger(__name__)
RING_AGAIN_SECONDS: Final = 1.0


class Writer:
    """Writes what it is sent and, once it has a feed, what it hears."""

    def __init__(
        self, send_text: Callable[[str], Awaitable[None]], close: Callable[[int, str], Awaitable[None]]
    ) -> None:
        self._send_text, self._close = send_text, close
        self._mailbox = Mailbox()
        self._early: list[Signal] = []
        self._conversation_id: UUID | None = None
        self._workspace_id: UUID | None = None
        self._feed: Feed | None = None
        self._writing_since: float | None = None

    def send(self, frame: ServerFrame) -> None:
        self._mailbox.put(encode(frame))

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close the socket; nothing else is taken."""
        self._mailbox.close(code, reason)
        self.leave()

    def tell_of_erasure(self) -> None:
        """Say that the conversation is gone, and close."""
        gone = ConversationErased()
        self.send(refusal(gone))
        self.close(gone.close_code, gone.code)

    @property
    def is_closing(self) -> bool:
        return self._mailbox.is_closing

    @property
    def seq(self) -> int:
        """The last event that left, 0 before there is a feed."""
        return self._feed.seq if self._feed else 0

    @property
    def hears_elsewhere(self) -> bool:
        """Say whether this conversation's answers are written in another process."""
        return self._feed is not None and self._feed.hears_elsewhere

    def stuck_seconds(self, now: float) -> float:
        """Return for how long the reader has not taken the frame that is being written."""
        return now - self._writing_since if self._writing_since is not None else 0.0

    async def listen(self, workspace_id: UUID, conversation_id: UUID) -> None:
        """Hear the conversation from now on; it is kept back until `follow`, since the log is read in between."""
        self._workspace_id, self._conversation_id = workspace_id, conversation_id
        await switchboard().listen(conversation_id, self._hear)

    def follow(self, feed: Feed, *, head: int) -> None:
        """Go on from where the feed stands: what it misses up to `head`, then what was heard since `listen`."""
        self._feed = feed
        self._mailbox.put(NewEvent(head, None))
        early, self._early = self._early, []
        for signal in early:
            self._mailbox.put(signal)
        if feed.is_in_an_answer:  # from another process the greeting has what was saved, up to a second ago
            feed.ask_for_words()

    def leave(self) -> None:
        """Hear nothing more."""
        if self._conversation_id is not None:
            switchboard().unlisten(self._conversation_id, self._hear)
            self._conversation_id = None

    def _hear(self, signal: Signal) -> None:
        if isinstance(signal, Erased):
            self.tell_of_erasure()
        elif self._feed is None:
            self._early.append(signal)
        else:
            self._mailbox.put(signal)

    async def run(self) -> None:
        """Write until the close was written or the peer has gone."""
        try:
            while await self._write_next():
                pass
        except OSError:  # the peer has gone: the socket's own task is told as well
            return

    async def _write_next(self) -> bool:
        item = await self._mailbox.next()
        if isinstance(item, Close):
            await self._timed(self._close(item.code, item.reason))
            return False
        if isinstance(item, str):
            await self._timed(self._send_text(item))
            return True
        try:
            news = await self._news(item)
        except AnyDatabaseError as error:
            logger.warning("widget: the log cannot be read: %s", type(error).__name__)
            self._hear_again_later(item)
            return True
        for frame in news:
            await self._timed(self._send_text(encode(frame)))
        return True

    def _hear_again_later(self, signal: Signal) -> None:
        """Nobody rings twice for the same event; and what waits behind it, such as a refusal, must not wait for it."""
        asyncio.get_running_loop().call_later(RING_AGAIN_SECONDS, self._mailbox.put, signal)

    async def _news(self, signal: Signal) -> list[ServerFrame]:
        assert self._feed is not None and self._workspace_id is not None  # nothing is heard before
        with workspace_scope(self._workspace_id):
            return await self._feed.frames(signal)

    async def _timed(self, writing: Awaitable[None]) -> None:
        self._writing_since = asyncio.get_running_loop().time()
        await writing
        self._writing_since = None
