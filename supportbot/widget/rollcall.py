"""The round that a process makes of its open sockets: may each stay, is somebody there, how far is the log.

One timer and one query for all of them: a timer and a query per socket would be the main work of an idle server.
"""

import asyncio
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import DatabaseError

from supportbot.accounts.scope import across_workspaces
from supportbot.asyncdb import db
from supportbot.chat.models import Conversation
from supportbot.chat.stream import switchboard
from supportbot.widget.protocol import Head
from supportbot.widget.tickets import Session

if TYPE_CHECKING:
    from supportbot.widget.consumer import ChatConsumer

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


def still_theirs(pairs: set[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return those (conversation, customer) that still belong together, on a channel that is live."""
    with across_workspaces("roll call of open sockets"):
        found = Conversation.objects.filter(pk__in=[pair[0] for pair in pairs], channel__is_live=True)
        return pairs & set(found.values_list("pk", "customer_id"))


class RollCall:
    def __init__(self) -> None:
        self._sockets: set[ChatConsumer] = set()
        self._task: asyncio.Task[None] | None = None

    def enter(self, socket: "ChatConsumer") -> None:
        self._sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, socket: "ChatConsumer") -> None:
        self._sockets.discard(socket)

    async def _run(self) -> None:
        rounds = 0
        while self._sockets:
            await asyncio.sleep(ROUND_SECONDS)
            rounds += 1
            self._look(asyncio.get_running_loop().time(), is_head_due=rounds % HEAD_EVERY_ROUNDS == 0)
            with suppress(DatabaseError):  # nobody is sent away because the database is
                await self._dismiss_strangers()

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
        staying = await db(still_theirs, {_pair(session) for _, session in sockets})
        for socket, session in sockets:
            if _pair(session) not in staying and socket.session is session:
                socket.writer.close(NOT_WELCOME, "this conversation is not open to you any more")


def _pair(session: Session) -> tuple[UUID, UUID]:
    return session.conversation_id, session.caller.customer_id
