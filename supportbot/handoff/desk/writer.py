"""Writes to one desk socket in a separate task: updates to the open conversation and the queue.

Nothing piles up for a slow reader. The log and the queue are read only when they can be sent; only responses to the
agent's own frames are buffered.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.utils.timezone import now
from django.utils.translation import override

from supportbot.accounts.models import User
from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import AgentViewing, DeskNotified, NewEvent, Signal, Typing
from supportbot.handoff.desk.conversation_lines import Reader, lines_after
from supportbot.handoff.desk.protocol import encode
from supportbot.handoff.desk.queue_rows import groups_for, queue_counts, rows_for
from supportbot.observing.database_errors import trouble
from supportbot.team_language import ENGLISH

logger = logging.getLogger(__name__)
MAX_QUEUED_FRAMES: Final = 256
TOO_SLOW: Final = 4429
ROWS_INTERVAL_SECONDS: Final = 0.15
RETRY_SECONDS: Final = 1.0
MAX_STALE: Final = 100


@dataclass
class Subscription:
    """The conversation that is open at a desk. `seq` is the last event sent; `head` is the newest known event."""

    conversation_id: UUID
    reader: Reader
    seq: int
    head: int


class Outbound:
    """Writes to one socket. Signals only mark what is due; `run` reads and sends it."""

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int, str], Awaitable[None]]) -> None:
        self._send, self._close = send, close
        self._buffer: deque[str] = deque()
        self._closing: tuple[int, str] | None = None
        self._wakeup = asyncio.Event()
        self._person: User | None = None
        self._language = ENGLISH
        self._workspace_id: UUID | None = None
        self._listening_to: UUID | None = None
        self._followed: Subscription | None = None
        self._stale: set[UUID] = set()
        self._is_queue_due = False
        self._next_rows_at = 0.0
        self.on_colleague_activity: Callable[[AgentViewing], None] = lambda signal: None

    # --- Requests to write.

    def frame(self, kind: str, **fields: Any) -> None:
        self._buffer.append(encode(kind, **fields))
        self._wakeup.set()
        if len(self._buffer) > MAX_QUEUED_FRAMES:
            self._buffer.clear()
            self.close(TOO_SLOW, "too slow: reconnect with last_seq")

    def close(self, code: int, reason: str) -> None:
        """Send what is buffered, then close. Later frames are dropped."""
        if self._closing is None:
            self._closing = (code, reason)
            self.leave()
            self._wakeup.set()

    @property
    def is_closing(self) -> bool:
        return self._closing is not None

    @property
    def followed(self) -> Subscription | None:
        return self._followed

    async def open(self, workspace_id: UUID, person: User, *, language: str) -> None:
        """Subscribe to the workspace's desk, then send the current queue, with all texts in `language`."""
        self._workspace_id, self._person, self._language = workspace_id, person, language
        await signal_broker().listen(workspace_id, self._on_desk_signal)
        self.refresh_queue()

    def refresh_queue(self) -> None:
        self._is_queue_due = True
        self._wakeup.set()

    async def listen(self, conversation_id: UUID) -> None:
        """Subscribe to this conversation instead of the previous one."""
        self._unfollow()
        await signal_broker().listen(conversation_id, self._on_conversation_signal)
        self._listening_to = conversation_id

    def follow(self, followed: Subscription) -> None:
        """Send the events after the subscription's position. Call `listen` first, so that none are missed."""
        self._followed = followed
        self._wakeup.set()

    def leave(self) -> None:
        self._unfollow()
        if self._workspace_id is not None:
            signal_broker().unlisten(self._workspace_id, self._on_desk_signal)

    def _unfollow(self) -> None:
        self._followed = None
        if self._listening_to is not None:
            signal_broker().unlisten(self._listening_to, self._on_conversation_signal)
            self._listening_to = None

    # --- Signals.

    def _on_desk_signal(self, signal: Signal) -> None:
        if not isinstance(signal, DeskNotified):
            return
        self._stale.add(UUID(signal.conversation))
        if len(self._stale) > MAX_STALE:
            self._stale.clear()
            self._is_queue_due = True
        self._wakeup.set()

    def _on_conversation_signal(self, signal: Signal) -> None:
        match signal:
            case NewEvent(seq=seq) if self._followed is not None:
                self._followed.head = max(self._followed.head, seq)
                self._wakeup.set()
            case Typing(source="customer"):
                self.frame("typing", conversation=self._listening_to, source="customer")
            case AgentViewing():
                self.on_colleague_activity(signal)

    # --- Writing.

    async def run(self) -> None:
        """Write until the socket is closed or the other side is gone."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                await self._write_buffer()
                if self._closing is not None:
                    await self._close(*self._closing)
                    return
                await self._write_updates()
        except OSError:  # the peer has disconnected, which the socket's own task notices, too
            return

    async def _write_buffer(self) -> None:
        while self._buffer:
            await self._send(self._buffer.popleft())

    async def _write_updates(self) -> None:
        if self._workspace_id is None:
            return
        try:
            with workspace_scope(self._workspace_id), override(self._language):
                await self._write_log()
                await self._write_rows()
        except AnyDatabaseError as error:
            if not trouble.explains(error):
                logger.warning("desk: the database cannot be read: %s", type(error).__name__)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wakeup.set)

    async def _write_log(self) -> None:
        while (followed := self._followed) is not None and followed.head > followed.seq:
            found = await db(lines_after, followed.conversation_id, followed.seq, followed.reader)
            if self._followed is not followed:
                return
            for event, line in found:
                followed.seq = event.seq
                await self._send(
                    encode(
                        "event", conversation=followed.conversation_id, seq=event.seq, prev_seq=event.prev_seq,
                        event=event.event, payload=event.payload, created_at=event.created_at,
                        line=line.as_json() if line else None,
                    )
                )  # fmt: skip
            if not found:  # the announced head does not exist, or belongs to another database's log
                followed.head = followed.seq

    async def _write_rows(self) -> None:
        """Send changes to the queue, at most a few times a second."""
        loop = asyncio.get_running_loop()
        if not self._stale and not self._is_queue_due:
            return
        if loop.time() < self._next_rows_at:
            loop.call_at(self._next_rows_at, self._wakeup.set)
            return
        self._next_rows_at = loop.time() + ROWS_INTERVAL_SECONDS
        stale, self._stale = self._stale, set()
        is_full, self._is_queue_due = self._is_queue_due, False
        assert self._person is not None  # set together with the workspace
        try:
            frames = await (db(_queue, self._person) if is_full else db(_rows, stale, self._person))
        except AnyDatabaseError:
            self._stale |= stale
            self._is_queue_due |= is_full
            raise
        for frame in frames:
            await self._send(frame)


def _queue(person: User) -> list[str]:
    rows = [row.as_json() for group in groups_for(person, now()) for row in group.rows]
    return [encode("queue", counts=queue_counts(person), rows=rows)]


def _rows(conversation_ids: set[UUID], person: User) -> list[str]:
    frames = [encode("ticket", row=row.as_json()) for row in rows_for(conversation_ids, person, now())]
    return [*frames, encode("queue", counts=queue_counts(person))]
