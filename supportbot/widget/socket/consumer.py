"""One chat socket: the door, the greeting and the frames that come in. What goes out is the writer's.

Invariants: nothing is read of a conversation before a ticket was used; the socket listens before it reads the log, so
nothing falls between the two.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as AnyDatabaseError

from supportbot.accounts.scope import workspace_scope
from supportbot.asyncdb import db
from supportbot.chat.notice import ai_notice
from supportbot.errors import NotFound, SupportBotError
from supportbot.widget.audit import note_turned_away
from supportbot.widget.errors import FrameError, OriginRefused, OutOfOrder, TicketRefused, Unavailable
from supportbot.widget.session.auth import origin_of
from supportbot.widget.session.identities import identify
from supportbot.widget.session.tickets import Session, redeem_ticket
from supportbot.widget.socket import rate_limit
from supportbot.widget.socket.connection_registry import roll_call
from supportbot.widget.socket.feed import Feed, Opening, opening
from supportbot.widget.socket.handlers import Deed, carry_out, on_behalf
from supportbot.widget.socket.parsing import client_id_in, parse_client_frame
from supportbot.widget.socket.protocol import (
    LIMITS,
    ClientFrame,
    CustomerTyping,
    Head,
    Hello,
    Identify,
    LiveTurn,
    Logout,
    Ping,
    Queue,
    Reset,
    Welcome,
)
from supportbot.widget.socket.refusals import refusal
from supportbot.widget.socket.writer import Writer

logger = logging.getLogger(__name__)
HELLO_SECONDS: Final = 10.0
MAX_BAD_FRAMES: Final = 3
BAD_FRAMES: Final = 4400
NO_TICKET: Final = 4401
FLOODING: Final = 4429
INTERNAL: Final = 1011


class ChatConsumer(AsyncWebsocketConsumer):
    """A thin edge: each frame is parsed, answered by one service call, and refused in words."""

    # The switchboard speaks to the channel layer once per process; a channel for each socket would cost a connection.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writer = Writer(self.send, lambda code, reason: self.close(code=code, reason=reason))
        self.session: Session | None = None
        self.heard_at = 0.0
        self.told_place: Queue | None = None  # the roll call's
        self._origin: str | None = None
        self._greeting: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_abandoned = False
        self._bad_frames = 0
        self._frames, self._typing = rate_limit.frames(), rate_limit.typing()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket; whatever ends it, nothing of it stays behind."""
        self._task = asyncio.current_task()
        writing = asyncio.create_task(self.writer.run())
        writing.add_done_callback(self._writer_ended)
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_abandoned:
                raise
        finally:
            if self._greeting is not None:
                self._greeting.cancel()
            roll_call().leave(self)
            self.writer.leave()
            writing.cancel()

    def abandon(self) -> None:
        """End the socket without a word: its reader takes nothing any more, not even a close."""
        self._is_abandoned = True
        if self._task is not None:
            self._task.cancel()

    def _writer_ended(self, writing: "asyncio.Task[None]") -> None:
        if not writing.cancelled() and writing.exception() is not None:
            logger.error("widget: a socket's writer failed", exc_info=writing.exception())
            self.abandon()

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a client only sees the close code of an open socket
        loop = asyncio.get_running_loop()
        self.heard_at = loop.time()
        try:
            self._origin = await origin_of(self.scope["headers"])
        except AnyDatabaseError:
            self._refuse_and_close(Unavailable())
            return
        if self._origin is None:
            logger.warning("widget: a socket of an origin that no channel allows was refused")  # whose, nobody knows
            self._refuse_and_close(OriginRefused())
            return
        # From here on the client is slow, not the database.
        self._greeting = loop.call_later(HELLO_SECONDS, self.writer.close, NO_TICKET, "no hello in time")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame of any kind; bad JSON, binary and broken text are answered, never a reason to fall over."""
        if self.writer.is_closing:
            return
        self.heard_at = asyncio.get_running_loop().time()
        if not self._frames.allows():
            self.writer.close(FLOODING, "flooding: come back later")
            return
        try:
            await self._take(_parse(text_data))
        except FrameError as error:
            self._bad_frame(error, client_id_in(text_data or ""))
        else:
            self._bad_frames = 0

    async def _take(self, frame: ClientFrame) -> None:
        if isinstance(frame, Hello):
            await self._greet(frame)
        elif self.session is None:
            raise OutOfOrder("The first frame is `hello` with a ticket.", fields={"type": ["Say `hello` first."]})
        else:
            await self._answer(frame, self.session)

    def _bad_frame(self, error: FrameError, client_id: str | None) -> None:
        self.writer.send(refusal(error, client_id=client_id))
        self._bad_frames += 1
        if self._bad_frames == MAX_BAD_FRAMES:
            self.writer.close(BAD_FRAMES, "three bad frames in a row")

    # --- The greeting.

    async def _greet(self, hello: Hello) -> None:
        if self.session is not None:
            raise OutOfOrder("This socket has said `hello` already.", fields={"type": ["Already said."]})
        assert self._origin is not None and self._greeting is not None  # or the socket is closing
        self._greeting.cancel()
        try:
            session = await db(redeem_ticket, hello.ticket, origin=self._origin)
            with workspace_scope(session.workspace_id):
                await self.writer.listen(session.workspace_id, session.conversation_id)
                found = await db(opening, session.conversation_id, hello.last_seq)
        except (TicketRefused, OriginRefused) as error:
            self._refuse_and_close(error)
        except NotFound:
            self.writer.tell_of_erasure()
        except AnyDatabaseError:
            self._refuse_and_close(Unavailable())
        else:
            self._welcome(session, found)

    def _welcome(self, session: Session, found: Opening) -> None:
        self.session = session
        live, notice = found.turn, ai_notice(session.locale)
        turn = LiveTurn(live.message, live.attempt, live.index, live.text) if live else None
        self.writer.send(Welcome(session.conversation_id, found.head, notice, turn, LIMITS))
        if found.is_too_far_back:
            self.writer.send(Reset())
            self.writer.send(Head(found.head))
        self.writer.follow(Feed(session.conversation_id, found.start, found.turn), head=found.head)
        roll_call().enter(self)

    # --- Frames of a greeted client.

    async def _answer(self, frame: ClientFrame, session: Session) -> None:
        try:
            await self._obey(frame, session)
        except SupportBotError as error:
            self.writer.send(refusal(error, frame))
            if isinstance(frame, Identify):
                facts = {"workspace_id": session.workspace_id, "channel_id": session.channel_id}
                with suppress(AnyDatabaseError):  # the client was answered
                    await db(note_turned_away, error, actor=f"customer:{session.caller.customer_id}", **facts)
        except AnyDatabaseError:  # nothing was stored: the client keeps what it wrote and sends it again
            self.writer.send(refusal(Unavailable(), frame))

    async def _obey(self, frame: ClientFrame, session: Session) -> None:
        match frame:
            case Hello():
                raise AssertionError("a second hello is refused earlier")
            case Ping():
                self.writer.send(Head(self.writer.seq))
            case Logout():
                self.writer.close(NO_TICKET, "logged out")
            case Identify(token=token):
                caller = await on_behalf(session, identify, channel_id=session.channel_id, token=token)
                # Where a socket was opened is a property of the socket, whoever signs in on it.
                self.session = replace(session, caller=replace(caller, is_hosted=session.caller.is_hosted))
            case _:
                await self._carry_out(frame, session)

    async def _carry_out(self, deed: Deed, session: Session) -> None:
        if isinstance(deed, CustomerTyping) and not self._typing.allows():
            return
        receipt = await carry_out(deed, session)
        if receipt is not None:
            self.writer.send(receipt)

    def _refuse_and_close(self, error: SupportBotError) -> None:
        self.writer.send(refusal(error))
        self.writer.close(error.close_code or INTERNAL, error.code)


def _parse(text: str | None) -> ClientFrame:
    if text is None:
        raise FrameError("Frames are text, not binary.")
    return parse_client_frame(text)
