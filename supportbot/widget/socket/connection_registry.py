"""The open sockets of a process, and the periodic check of each: whether it may stay open, whether it is alive, and how
far its log has grown.

One timer and two queries serve all sockets, because a timer and a query per socket would be most of an idle server's
work.

The registry also records which customers are present; absent ones get e-mails. Presence is recorded nowhere else, so a
customer who closes the page and opens it again ends up marked as present.
"""

import asyncio
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from django.db import Error as AnyDatabaseError

from supportbot.accounts.models import Channel
from supportbot.accounts.scope import across_workspaces
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.handoff.mail.customer_presence import mark_customers_absent, mark_customers_present
from supportbot.widget.session.tickets import Session
from supportbot.widget.socket.protocol import Head, Queue
from supportbot.widget.socket.waiting_time import queue_frames
from supportbot.widget.socket.writer import Writer

CHECK_SECONDS: Final = 5.0
HEAD_EVERY_CHECKS: Final = 5
# The server's own pings find dead peers within 40 s. This limit is for live peers that send nothing, not even `ping`.
IDLE_SECONDS: Final = 30 * 60.0
STUCK_SECONDS: Final = 20.0
IDLE: Final = 4408
NOT_AUTHORIZED: Final = 4401

_registries: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ConnectionRegistry]" = weakref.WeakKeyDictionary()


def connection_registry() -> "ConnectionRegistry":
    """Return the running loop's registry."""
    return _registries.setdefault(asyncio.get_running_loop(), ConnectionRegistry())


class Connection(Protocol):
    """The part of a socket's consumer that the registry needs."""

    writer: Writer
    session: Session | None
    last_frame_at: float
    sent_position: Queue | None  # used only by the registry

    def abandon(self) -> None: ...


class Access(NamedTuple):
    """What a session has access to: a customer's conversation, opened through a channel."""

    conversation_id: UUID
    customer_id: UUID
    channel_id: UUID


class AccessCheck(NamedTuple):
    valid: set[Access]
    erased: set[UUID]


def check_access(accesses: set[Access]) -> AccessCheck:
    """Return which of these accesses are still valid, and which conversations no longer exist.

    An access is valid as long as the conversation belongs to the customer and the channel is live.
    """
    with across_workspaces("check of open sockets"):
        conversations = Conversation.objects.filter(pk__in={access.conversation_id for access in accesses})
        owners = dict(conversations.values_list("pk", "customer_id"))
        channels = Channel.objects.filter(pk__in={access.channel_id for access in accesses}, is_live=True)
        live = set(channels.values_list("pk", flat=True))
    valid = {
        access
        for access in accesses
        if owners.get(access.conversation_id) == access.customer_id and access.channel_id in live
    }
    return AccessCheck(valid, {access.conversation_id for access in accesses} - set(owners))


def record_presence(here: set[UUID], gone: set[UUID]) -> None:
    mark_customers_present(here)
    mark_customers_absent(gone)


class ConnectionRegistry:
    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._new: set[Connection] = set()
        self._checking: asyncio.Task[None] | None = None
        self._unrecorded: set[UUID] = set()
        self._recording: asyncio.Task[None] | None = None

    def add(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._new.add(connection)
        self._record(_conversations([connection]))
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_periodically())

    def discard(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._record(_conversations([connection]))

    def _record(self, conversation_ids: set[UUID]) -> None:
        self._unrecorded |= conversation_ids
        if self._recording is None or self._recording.done():
            self._recording = asyncio.create_task(self._record_pending())

    async def _record_pending(self) -> None:
        while self._unrecorded:
            due, self._unrecorded = self._unrecorded, set()
            here = due & _conversations(self._connections)
            new, self._new = self._new, set()
            await db(record_presence, here, due - here)
            with suppress(AnyDatabaseError):  # the next check sends them
                await self._send_positions(new)

    async def _check_periodically(self) -> None:
        checks = 0
        while self._connections:
            await asyncio.sleep(CHECK_SECONDS)
            checks += 1
            is_head_due = checks % HEAD_EVERY_CHECKS == 0
            self._check_liveness(asyncio.get_running_loop().time(), is_head_due=is_head_due)
            if is_head_due:
                self._record(_conversations(self._connections))
            with suppress(AnyDatabaseError):  # an unavailable database must not close sockets
                await self._close_unauthorized()
                await self._send_positions(set(self._connections))

    def _check_liveness(self, now: float, *, is_head_due: bool) -> None:
        for connection in list(self._connections):
            if connection.writer.stuck_seconds(now) > STUCK_SECONDS:
                connection.abandon()
            elif now - connection.last_frame_at > IDLE_SECONDS:
                connection.writer.close(IDLE, "idle")
            elif is_head_due:
                connection.writer.send(Head(connection.writer.seq))
                if connection.session is not None and connection.writer.is_turn_remote:
                    signal_broker().watch(connection.session.conversation_id)

    async def _close_unauthorized(self) -> None:
        connections = [(one, one.session) for one in self._connections if one.session is not None]
        checked = await db(check_access, {_access(session) for _, session in connections})
        for connection, session in connections:
            if session.conversation_id in checked.erased:  # the signal about its erasure was lost
                connection.writer.close_as_erased()
            elif _access(session) not in checked.valid and connection.session is session:
                connection.writer.close(NOT_AUTHORIZED, "this conversation is no longer open to you")

    async def _send_positions(self, connections: set[Connection]) -> None:
        """Tell customers who are waiting for an agent their position in the queue, if it has changed."""
        if not connections:
            return
        frames = await db(queue_frames, _conversations(connections))
        for connection in connections:
            session = connection.session
            frame = frames.get(session.conversation_id) if session is not None else None
            is_new, connection.sent_position = frame != connection.sent_position, frame
            if frame is not None and is_new:
                connection.writer.send(frame)


def _access(session: Session) -> Access:
    return Access(session.conversation_id, session.caller.customer_id, session.channel_id)


def _conversations(connections: Iterable[Connection]) -> set[UUID]:
    return {one.session.conversation_id for one in connections if one.session is not None}
