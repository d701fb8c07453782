"""The round that a process makes of its open sockets: may each stay, is somebody there, how far is the log.

One timer and two queries for all of them: a timer and a query per socket would be the main work of an idle server. It
also keeps the book of who reads along, for the mail to those who do not: one writer, so that a page which is closed and
opened again ends up as open.
"""

import asyncio
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from django.db import Error as AnyDatabaseError

from supportbot.accounts.models import Channel
from supportbot.accounts.scope import across_workspaces
from supportbot.asyncdb import db
from supportbot.chat.models import Conversation
from supportbot.chat.stream import switchboard
from supportbot.handoff.mail.customer_presence import mark_customers_absent, mark_customers_present
from supportbot.widget.session.tickets import Session
from supportbot.widget.socket.protocol import Head
from supportbot.widget.socket.queue_position import queue_frames

if TYPE_CHECKING:
    from supportbot.widget.socket.consumer import ChatConsumer

ROUND_SECONDS: Final = 5.0
HEAD_EVERY_ROUNDS: Final = 5
# The server's own pings find dead peers within 40 s. This is for a live one that says nothing at all, not even `ping`.
IDLE_SECONDS: Final = 30 * 60.0
STUCK_SECONDS: Final = 20.0
IDLE: Final = 4408
NOT_WELCOME: Final = 4401

_calls: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, RollCall]" = weakref.WeakKeyDictionary()


def roll_call() -> "RollCall":
    """Return the running loop's."""
    return _calls.setdefault(asyncio.get_running_loop(), RollCall())


class Place(NamedTuple):
    """What a socket stands on."""

    conversation_id: UUID
    customer_id: UUID
    channel_id: UUID


class Standing(NamedTuple):
    """Which places may be kept, and which conversations are not there any more."""

    staying: set[Place]
    gone: set[UUID]


def standing_of(places: set[Place]) -> Standing:
    """Return those whose conversation is still the customer's, opened by a channel that is still live."""
    with across_workspaces("roll call of open sockets"):
        conversations = Conversation.objects.filter(pk__in={place.conversation_id for place in places})
        owners = dict(conversations.values_list("pk", "customer_id"))
        channels = Channel.objects.filter(pk__in={place.channel_id for place in places}, is_live=True)
        live = set(channels.values_list("pk", flat=True))
    staying = {
        place for place in places if owners.get(place.conversation_id) == place.customer_id and place.channel_id in live
    }
    return Standing(staying, {place.conversation_id for place in places} - set(owners))


def note_attendance(here: set[UUID], gone: set[UUID]) -> None:
    mark_customers_present(here)
    mark_customers_absent(gone)


class RollCall:
    def __init__(self) -> None:
        self._sockets: set[ChatConsumer] = set()
        self._newcomers: set[ChatConsumer] = set()
        self._task: asyncio.Task[None] | None = None
        self._unnoted: set[UUID] = set()
        self._noting: asyncio.Task[None] | None = None

    def enter(self, socket: "ChatConsumer") -> None:
        self._sockets.add(socket)
        self._newcomers.add(socket)
        self._note(_conversations([socket]))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, socket: "ChatConsumer") -> None:
        if socket in self._sockets:
            self._sockets.discard(socket)
            self._note(_conversations([socket]))

    def _note(self, conversation_ids: set[UUID]) -> None:
        self._unnoted |= conversation_ids
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._write_down())

    async def _write_down(self) -> None:
        while self._unnoted:
            due, self._unnoted = self._unnoted, set()
            here = due & _conversations(self._sockets)
            newcomers, self._newcomers = self._newcomers, set()
            await db(note_attendance, here, due - here)
            with suppress(AnyDatabaseError):  # the next round tells them
                await self._tell_places(newcomers)

    async def _run(self) -> None:
        rounds = 0
        while self._sockets:
            await asyncio.sleep(ROUND_SECONDS)
            rounds += 1
            is_head_due = rounds % HEAD_EVERY_ROUNDS == 0
            self._look(asyncio.get_running_loop().time(), is_head_due=is_head_due)
            if is_head_due:
                self._note(_conversations(self._sockets))
            with suppress(AnyDatabaseError):  # nobody is sent away because the database is
                await self._dismiss_strangers()
                await self._tell_places(set(self._sockets))

    def _look(self, now: float, *, is_head_due: bool) -> None:
        for socket in list(self._sockets):
            if socket.writer.stuck_seconds(now) > STUCK_SECONDS:
                socket.abandon()
            elif now - socket.heard_at > IDLE_SECONDS:
                socket.writer.close(IDLE, "idle")
            elif is_head_due:
                socket.writer.send(Head(socket.writer.seq))
                self._ask_for_deltas(socket)

    def _ask_for_deltas(self, socket: "ChatConsumer") -> None:
        if socket.session is not None and socket.writer.hears_elsewhere:
            switchboard().watch(socket.session.conversation_id)

    async def _dismiss_strangers(self) -> None:
        sockets = [(socket, socket.session) for socket in self._sockets if socket.session is not None]
        standing = await db(standing_of, {_place(session) for _, session in sockets})
        for socket, session in sockets:
            if session.conversation_id in standing.gone:  # the word of its erasure was lost on the way here
                socket.writer.tell_of_erasure()
            elif _place(session) not in standing.staying and socket.session is session:
                socket.writer.close(NOT_WELCOME, "this conversation is not open to you any more")

    async def _tell_places(self, sockets: "set[ChatConsumer]") -> None:
        """Send to who waits for a person where they stand, if that is news to them."""
        if not sockets:
            return
        frames = await db(queue_frames, _conversations(sockets))
        for socket in sockets:
            frame = frames.get(socket.session.conversation_id) if socket.session is not None else None
            is_news, socket.told_place = frame != socket.told_place, frame
            if frame is not None and is_news:
                socket.writer.send(frame)


def _place(session: Session) -> Place:
    return Place(session.conversation_id, session.caller.customer_id, session.channel_id)


def _conversations(sockets: "Iterable[ChatConsumer]") -> set[UUID]:
    return {socket.session.conversation_id for socket in sockets if socket.session is not None}
