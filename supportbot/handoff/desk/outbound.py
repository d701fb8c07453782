"""What leaves one desk socket, written by its one task: the news of the followed conversation, and of the queue.

Nothing piles up behind a slow reader: the log and the queue are read when there is room for them, and only answers to
the agent's own frames are kept.
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

from supportbot.accounts.models import User
from supportbot.accounts.scope import workspace_scope
from supportbot.asyncdb import db
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import AtWork, DeskRings, NewEvent, Signal, Typing
from supportbot.chat.stream import switchboard
from supportbot.handoff.desk.protocol import encode
from supportbot.handoff.desk.rows import groups_for, queue_counts, rows_for
from supportbot.handoff.desk.thread import Reader, line_of

logger = logging.getLogger(__name__)
MAX_QUEUED_FRAMES: Final = 256
TOO_SLOW: Final = 4429
ROWS_INTERVAL_SECONDS: Final = 0.15
RETRY_SECONDS: Final = 1.0
MAX_STALE: Final = 100


@dataclass
class Subscription:
    """The conversation a desk has open. `seq` is the last event that left, `head` how far the log is known to reach."""

    conversation_id: UUID
    reader: Reader
    seq: int
    head: int


class Outbound:
    """One socket's writer. What it hears only marks what is due; `run` reads and writes it."""

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int, str], Awaitable[None]]) -> None:
        self._send, self._close = send, close
        self._ready: deque[str] = deque()
        self._closing: tuple[int, str] | None = None
        self._wakeup = asyncio.Event()
        self._person: User | None = None
        self._workspace_id: UUID | None = None
        self._listening_to: UUID | None = None
        self._followed: Subscription | None = None
        self._stale: set[UUID] = set()
        self._is_queue_due = False
        self._next_rows_at = 0.0
        self.on_colleague_activity: Callable[[AtWork], None] = lambda signal: None

    # --- What is to be written.

    def frame(self, kind: str, **fields: Any) -> None:
        self._ready.append(encode(kind, **fields))
        self._wakeup.set()
        if len(self._ready) > MAX_QUEUED_FRAMES:
            self._ready.clear()
            self.close(TOO_SLOW, "too slow: come back with last_seq")

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close; nothing more is taken."""
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

    async def open(self, workspace_id: UUID, person: User) -> None:
        """Listen to the workspace's desk, then send the queue as it stands."""
        self._workspace_id, self._person = workspace_id, person
        await switchboard().listen(workspace_id, self._on_desk_signal)
        self.refresh_queue()

    def refresh_queue(self) -> None:
        self._is_queue_due = True
        self._wakeup.set()

    async def listen(self, conversation_id: UUID) -> None:
        """Hear this conversation from now on, in place of the one before."""
        self._unfollow()
        await switchboard().listen(conversation_id, self._on_conversation_signal)
        self._listening_to = conversation_id

    def follow(self, followed: Subscription) -> None:
        """Go on from where the reader stands; `listen` came before, so nothing falls between."""
        self._followed = followed
        self._wakeup.set()

    def leave(self) -> None:
        self._unfollow()
        if self._workspace_id is not None:
            switchboard().unlisten(self._workspace_id, self._on_desk_signal)

    def _unfollow(self) -> None:
        self._followed = None
        if self._listening_to is not None:
            switchboard().unlisten(self._listening_to, self._on_conversation_signal)
            self._listening_to = None

    # --- What is heard.

    def _on_desk_signal(self, signal: Signal) -> None:
        if not isinstance(signal, DeskRings):
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
            case AtWork():
                self.on_colleague_activity(signal)

    # --- Writing.

    async def run(self) -> None:
        """Write until the close was written or the peer has gone."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                await self._write_ready()
                if self._closing is not None:
                    await self._close(*self._closing)
                    return
                await self._write_news()
        except OSError:  # the peer has gone: the socket's own task is told as well
            return

    async def _write_ready(self) -> None:
        while self._ready:
            await self._send(self._ready.popleft())

    async def _write_news(self) -> None:
        if self._workspace_id is None:
            return
        try:
            with workspace_scope(self._workspace_id):
                await self._write_log()
                await self._write_rows()
        except AnyDatabaseError as error:
            logger.warning("desk: nothing can be read: %s", type(error).__name__)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wakeup.set)

    async def _write_log(self) -> None:
        while (followed := self._followed) is not None and followed.head > followed.seq:
            events = await db(events_after, followed.conversation_id, followed.seq, is_staff=True)
            if self._followed is not followed:
                return
            for event in events:
                line = line_of(event, followed.reader)
                followed.seq = event.seq
                await self._send(
                    encode(
                        "event", conversation=followed.conversation_id, seq=event.seq, prev_seq=event.prev_seq,
                        event=event.event, payload=event.payload, created_at=event.created_at,
                        line=line.as_json() if line else None,
                    )
                )  # fmt: skip
            if not events:  # told of a head that is no event, or of another database's log
                followed.head = followed.seq

    async def _write_rows(self) -> None:
        """Send what changed of the queue, at most some times a second however much moves."""
        loop = asyncio.get_running_loop()
        if not self._stale and not self._is_queue_due:
            return
        if loop.time() < self._next_rows_at:
            loop.call_at(self._next_rows_at, self._wakeup.set)
            return
        self._next_rows_at = loop.time() + ROWS_INTERVAL_SECONDS
        stale, self._stale = self._stale, set()
        is_whole, self._is_queue_due = self._is_queue_due, False
        assert self._person is not None  # whoever listens has one
        try:
            frames = await (db(_queue, self._person) if is_whole else db(_rows, stale, self._person))
        except AnyDatabaseError:
            self._stale |= stale
            self._is_queue_due |= is_whole
            raise
        for frame in frames:
            await self._send(frame)


def _queue(person: User) -> list[str]:
    rows = [row.as_json() for group in groups_for(person, now()) for row in group.rows]
    return [encode("queue", counts=queue_counts(person), rows=rows)]


def _rows(conversation_ids: set[UUID], person: User) -> list[str]:
    frames = [encode("ticket", row=row.as_json()) for row in rows_for(conversation_ids, person, now())]
    return [*frames, encode("queue", counts=queue_counts(person))]
