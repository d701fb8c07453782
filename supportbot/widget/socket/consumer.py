"""One chat socket: the handshake, the greeting and incoming frames. The writer sends outgoing frames.

Invariants: nothing of a conversation is read before a ticket has been redeemed. The socket subscribes before it reads
the log, so no event is lost in between.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from django.db import Error as AnyDatabaseError

from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat.notices import ai_notice
from supportbot.chat.socket_base import Socket
from supportbot.errors import NotFound, SupportBotError
from supportbot.widget.access_audit import record_denied_access
from supportbot.widget.errors import FrameError, OriginRefused, OutOfOrder, TicketRefused, Unavailable
from supportbot.widget.session.origin_checks import handshake_origin
from supportbot.widget.session.sign_in import identify
from supportbot.widget.session.tickets import Session, redeem_ticket
from supportbot.widget.socket.connection_registry import connection_registry
from supportbot.widget.socket.feed import Feed, Snapshot, snapshot
from supportbot.widget.socket.handlers import on_behalf, run_command
from supportbot.widget.socket.parsing import client_id_in, parse_client_frame
from supportbot.widget.socket.protocol import (
    LIMITS,
    ClientFrame,
    Command,
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
    error_frame,
)
from supportbot.widget.socket.writer import Writer
from supportbot.widget.throttles import TokenBucket

logger = logging.getLogger(__name__)
HELLO_SECONDS: Final = 10.0
MAX_BAD_FRAMES: Final = 3
FRAME_BURST: Final = 120
FRAMES_PER_SECOND: Final = 4.0
TYPING_PER_SECOND: Final = 0.5
BAD_FRAMES: Final = 4400
NO_TICKET: Final = 4401
FLOODING: Final = 4429
INTERNAL: Final = 1011


class ChatConsumer(Socket):
    """Parses each frame, handles it with one service call, and sends an `error` if that fails."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writer = Writer(self.send, lambda code, reason: self.close(code=code, reason=reason))
        self.session: Session | None = None
        self.last_frame_at = 0.0
        self.sent_position: Queue | None = None  # used only by the registry
        self._origin: str | None = None
        self._hello_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_abandoned = False
        self._bad_frames = 0
        self._frame_limit = TokenBucket(FRAME_BURST, FRAMES_PER_SECOND)
        self._typing_limit = TokenBucket(1, TYPING_PER_SECOND)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket, and clean up however it ends."""
        self._task = asyncio.current_task()
        writing = asyncio.create_task(self.writer.run())
        writing.add_done_callback(self._writer_ended)
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_abandoned:
                raise
        finally:
            if self._hello_timer is not None:
                self._hello_timer.cancel()
            connection_registry().discard(self)
            self.writer.unsubscribe()
            writing.cancel()

    def abandon(self) -> None:
        """End the socket without a close frame, because the client has stopped reading."""
        self._is_abandoned = True
        if self._task is not None:
            self._task.cancel()

    def _writer_ended(self, writing: "asyncio.Task[None]") -> None:
        if not writing.cancelled() and writing.exception() is not None:
            logger.error("widget: a socket's writer failed", exc_info=writing.exception())
            self.abandon()

    async def connect(self) -> None:
        await self.accept()  # before any refusal, because clients see a close code only if the socket was open
        loop = asyncio.get_running_loop()
        self.last_frame_at = loop.time()
        try:
            self._origin = await handshake_origin(self.scope["headers"])
        except AnyDatabaseError:
            self._refuse_and_close(Unavailable())
            return
        if self._origin is None:
            # The channel is not known yet, so there is no audit chain for the record.
            logger.warning("widget: refused a socket of an origin that no channel allows")
            self._refuse_and_close(OriginRefused())
            return
        # From here on, only the client can cause a delay, not the database.
        self._hello_timer = loop.call_later(HELLO_SECONDS, self.writer.close, NO_TICKET, "no hello in time")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one frame. The response to invalid JSON, binary data or broken text is an `error`."""
        if self.writer.is_closing:
            return
        self.last_frame_at = asyncio.get_running_loop().time()
        if not self._frame_limit.allows():
            self.writer.close(FLOODING, "too many frames: try again later")
            return
        try:
            if text_data is None:
                raise FrameError("Frames must be text, not binary.")
            await self._dispatch(parse_client_frame(text_data))
        except FrameError as error:
            self._reject(error, client_id_in(text_data or ""))
        else:
            self._bad_frames = 0

    async def _dispatch(self, frame: ClientFrame) -> None:
        if isinstance(frame, Hello):
            await self._greet(frame)
        elif self.session is None:
            raise OutOfOrder("The first frame must be `hello` with a ticket.", fields={"type": ["Send `hello` first."]})
        else:
            await self._handle(frame, self.session)

    def _reject(self, error: FrameError, client_id: str | None) -> None:
        self.writer.send(error_frame(error, client_id=client_id))
        self._bad_frames += 1
        if self._bad_frames == MAX_BAD_FRAMES:
            self.writer.close(BAD_FRAMES, "three bad frames in a row")

    # --- The greeting.

    async def _greet(self, hello: Hello) -> None:
        if self.session is not None:
            raise OutOfOrder("This socket has already sent `hello`.", fields={"type": ["Already sent."]})
        # otherwise, the socket is already closing
        assert self._origin is not None and self._hello_timer is not None
        self._hello_timer.cancel()
        try:
            session = await db(redeem_ticket, hello.ticket, origin=self._origin)
            with workspace_scope(session.workspace_id):
                await self.writer.subscribe(session.conversation_id)
                found = await db(snapshot, session.conversation_id, hello.last_seq)
        except (TicketRefused, OriginRefused) as error:
            self._refuse_and_close(error)
        except NotFound:
            self.writer.close_as_erased()
        except AnyDatabaseError:
            self._refuse_and_close(Unavailable())
        else:
            self._welcome(session, found)

    def _welcome(self, session: Session, found: Snapshot) -> None:
        self.session = session
        live, notice = found.turn, ai_notice(session.locale)
        turn = LiveTurn(live.message, live.attempt, live.index, live.text) if live else None
        self.writer.send(Welcome(session.conversation_id, found.head, notice, turn, LIMITS))
        if found.is_too_far_back:
            self.writer.send(Reset())
            self.writer.send(Head(found.head))
        feed = Feed(session.workspace_id, session.conversation_id, found.start, found.turn)
        self.writer.follow(feed, head=found.head)
        connection_registry().add(self)

    # --- Frames after the greeting.

    async def _handle(self, frame: ClientFrame, session: Session) -> None:
        try:
            await self._run(frame, session)
        except SupportBotError as error:
            self.writer.send(error_frame(error, frame))
            if isinstance(frame, Identify):
                facts = {"workspace_id": session.workspace_id, "channel_id": session.channel_id}
                with suppress(AnyDatabaseError):  # the client already has its response
                    await db(record_denied_access, error, actor=f"customer:{session.caller.customer_id}", **facts)
        except AnyDatabaseError:  # nothing was stored; the client keeps its message and sends it again
            self.writer.send(error_frame(Unavailable(), frame))

    async def _run(self, frame: ClientFrame, session: Session) -> None:
        match frame:
            case Hello():
                raise AssertionError("a second hello is rejected earlier")
            case Ping():
                self.writer.send(Head(self.writer.seq))
            case Logout():
                self.writer.close(NO_TICKET, "logged out")
            case Identify(token=token):
                caller = await on_behalf(session, identify, channel_id=session.channel_id, token=token)
                # The origin belongs to the socket, whoever signs in on it.
                self.session = replace(session, caller=replace(caller, is_hosted=session.caller.is_hosted))
            case _:
                await self._run_command(frame, session)

    async def _run_command(self, command: Command, session: Session) -> None:
        if isinstance(command, CustomerTyping) and not self._typing_limit.allows():
            return
        ack = await run_command(command, session)
        if ack is not None:
            self.writer.send(ack)

    def _refuse_and_close(self, error: SupportBotError) -> None:
        self.writer.send(error_frame(error))
        self.writer.close(error.close_code or INTERNAL, error.code)
