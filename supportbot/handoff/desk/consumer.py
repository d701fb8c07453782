"""The desk's socket: an agent's log-in, the queue of their workspace, and one conversation at a time.

Invariants: nothing is read before the log-in and the page were checked, and both the log-in and the right are asked
again with every deed and every few seconds; the socket listens before it reads the log, so nothing falls between.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, assert_never
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import Error as AnyDatabaseError
from django.http import HttpRequest
from django.utils.timezone import now

from supportbot.accounts.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.accounts.origins import own_origins, read_origin
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.selectors import staff_logged_in
from supportbot.asyncdb import db
from supportbot.chat.access import conversation_for
from supportbot.chat.models import Conversation
from supportbot.chat.services import Receipt, add_agent_message, add_note
from supportbot.chat.signals import AtWork, Typing
from supportbot.chat.stream import switchboard
from supportbot.errors import NotAllowed, NotFound, SupportBotError, Unavailable
from supportbot.handoff.desk.outbound import Outbound, Subscription
from supportbot.handoff.desk.protocol import (
    PROTOCOL,
    AgentTyping,
    ClientFrame,
    Hello,
    Note,
    Ping,
    Reply,
    Subscribe,
    parse_client_frame,
)
from supportbot.handoff.desk.thread import reader_of
from supportbot.handoff.errors import BadFrame, NotLoggedIn, OriginRefused, WorkspaceChanged
from supportbot.handoff.tickets.access import may_use_desk
from supportbot.handoff.tickets.presence import record_presence

logger = logging.getLogger(__name__)
HELLO_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 10.0
MAX_BAD_FRAMES: Final = 3
BAD_FRAMES: Final = 4400
MAX_FRAMES_PER_HEARTBEAT: Final = 200
FLOODING: Final = 4429
NOT_LOGGED_IN: Final = 4401
INTERNAL: Final = 1011
_ACTIVITIES: Final = {"reply": "replying", "note": "noting", "reading": "reading"}
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Agent:
    """A person at the desk, as their log-in says right now."""

    staff: Staff
    user: User


class DeskConsumer(AsyncWebsocketConsumer):
    """A thin edge: each frame is parsed, answered by one service call, and refused in words."""

    # The switchboard speaks to the channel layer once per process; a channel for each socket would cost a connection.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.out = Outbound(self.send, lambda code, reason: self.close(code=code, reason=reason))
        self.out.on_colleague_activity = self._on_colleague_activity
        self._session_key = ""
        self._agent: Agent | None = None
        self._is_greeted = False
        self._doing = "reading"
        self._bad_frames = 0
        self._frames_left = MAX_FRAMES_PER_HEARTBEAT
        self._greeting: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket; whatever ends it, nothing of it stays behind."""
        beside = [asyncio.create_task(self.out.run()), asyncio.create_task(self._heartbeat())]
        for task in beside:
            task.add_done_callback(_report)
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._greeting is not None:
                self._greeting.cancel()
            self._announce_activity("gone")
            self.out.leave()
            for task in beside:
                task.cancel()

    async def connect(self) -> None:
        await self.accept()  # before any refusal: a client only sees the close code of an open socket
        headers = list(self.scope["headers"])
        self._session_key = session_key_of(headers)
        try:
            check_origin(headers)
            self._agent = await db(authenticate, self._session_key)
        except (SupportBotError, AnyDatabaseError) as error:
            self._refuse_and_close(error)
            return
        # From here on the client is slow, not the database.
        loop = asyncio.get_running_loop()
        self._greeting = loop.call_later(HELLO_SECONDS, self._end, NOT_LOGGED_IN, "no hello in time")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.out.is_closing or self._agent is None:
            return
        self._frames_left -= 1
        if self._frames_left < 0:
            self._end(FLOODING, "flooding: come back later")
            return
        try:
            await self._answer(parse_client_frame(text_data))
        except BadFrame as error:
            self._bad_frame(error)
        else:
            self._bad_frames = 0

    def _bad_frame(self, error: BadFrame) -> None:
        self._refuse(error)
        self._bad_frames += 1
        if self._bad_frames == MAX_BAD_FRAMES:
            self._end(BAD_FRAMES, "three bad frames in a row")

    async def _answer(self, frame: ClientFrame) -> None:
        if isinstance(frame, Hello) == self._is_greeted:
            raise BadFrame("The first frame, and only the first, is `hello`.", fields={"type": ["Out of order."]})
        try:
            agent = await self._current_agent()
            with workspace_scope(agent.staff.workspace_id):
                await self._dispatch(frame, agent)
        except (NotLoggedIn, WorkspaceChanged) as error:
            self._refuse_and_close(error)
        except SupportBotError as error:
            self._refuse(error, frame)
        except AnyDatabaseError as error:
            if isinstance(frame, Hello | Subscribe):  # else the browser would wait for news that nobody sends
                self._refuse_and_close(error)
            else:  # nothing was stored: the browser keeps what was written and sends it again
                self._refuse(Unavailable(), frame)

    async def _current_agent(self) -> Agent:
        """Ask again who this is: a right taken back counts from the next frame on.

        Raises NotLoggedIn, and WorkspaceChanged: what the socket listens to is of the workspace it was opened in.
        """
        before, agent = self._agent, await db(authenticate, self._session_key)
        if before is not None and before.staff.workspace_id != agent.staff.workspace_id:
            raise WorkspaceChanged()
        self._agent = agent
        return agent

    async def _dispatch(self, frame: ClientFrame, agent: Agent) -> None:
        match frame:
            case Hello():
                await self._greet(agent)
            case Subscribe():
                await self._subscribe(frame, agent)
            case Reply() | Note():
                receipt = await db(_store_message, frame, agent)
                self.out.frame("ack", conversation=frame.conversation, client_id=frame.client_id, seq=receipt.seq)
            case AgentTyping():
                await self._typing(frame, agent)
            case Ping():
                followed = self.out.followed
                self.out.frame(
                    "head",
                    conversation=followed.conversation_id if followed else None,
                    seq=followed.seq if followed else 0,
                )
            case _:
                assert_never(frame)

    async def _greet(self, agent: Agent) -> None:
        if self._greeting is not None:
            self._greeting.cancel()
        await db(record_presence, agent.user)
        self._is_greeted = True
        self.out.frame("welcome", protocol=PROTOCOL, user=agent.user.pk, name=agent.user.display_name, at=now())
        await self.out.open(agent.staff.workspace_id, agent.user)

    async def _subscribe(self, frame: Subscribe, agent: Agent) -> None:
        await db(conversation_for, agent.staff, frame.conversation)  # nothing of a foreign one is even listened to
        self._announce_activity("gone")
        self._doing = "reading"
        await self.out.listen(frame.conversation)
        conversation = await db(_load_conversation, frame.conversation)
        head = conversation.last_seq
        # A seq beyond the head is of a log that this database does not have (any more).
        start = head if frame.last_seq is None or frame.last_seq > head else frame.last_seq
        self.out.frame("head", conversation=conversation.pk, seq=start)
        self.out.follow(Subscription(conversation.pk, reader_of(conversation, agent.user), start, head))
        self._announce_activity("reading", asks=True)

    async def _typing(self, frame: AgentTyping, agent: Agent) -> None:
        followed = self.out.followed
        if followed is None or followed.conversation_id != frame.conversation:
            raise BadFrame("Only the conversation that is open is typed in.", fields={"conversation": ["Not open."]})
        self._announce_activity(_ACTIVITIES[frame.kind])
        if frame.kind == "reply" and await db(_is_assigned_to, frame.conversation, agent):
            switchboard().publish(frame.conversation, Typing(agent.user.display_name, "agent"))

    # --- Colleagues at the same conversation.

    def _announce_activity(self, doing: str, *, asks: bool = False) -> None:
        followed = self.out.followed
        if followed is not None and self._agent is not None:
            self._doing = doing
            user = self._agent.user
            switchboard().publish(followed.conversation_id, AtWork(str(user.pk), user.display_name, doing, asks))

    def _on_colleague_activity(self, signal: AtWork) -> None:
        if self._agent is None or signal.user == str(self._agent.user.pk) or self.out.followed is None:
            return
        self.out.frame(
            "presence", conversation=self.out.followed.conversation_id,
            user=signal.user, who=signal.who, doing=signal.doing,
        )  # fmt: skip
        if signal.asks:
            self._announce_activity(self._doing)

    # --- Every few seconds.

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self._frames_left = MAX_FRAMES_PER_HEARTBEAT
            if self._is_greeted:
                with suppress(AnyDatabaseError):  # nobody is sent away because the database is
                    await self._recheck_agent()

    async def _recheck_agent(self) -> None:
        """Is this person still one of the team? What was lost of the queue's news comes along."""
        try:
            agent = await self._current_agent()
        except (NotLoggedIn, WorkspaceChanged) as error:
            self._refuse_and_close(error)
            return
        with workspace_scope(agent.staff.workspace_id):
            await db(record_presence, agent.user)
        self._announce_activity(self._doing)

    # --- Refusals.

    def _refuse(self, error: SupportBotError, frame: ClientFrame | None = None) -> None:
        about = frame if isinstance(frame, Reply | Note) else None
        self.out.frame(
            "error", code=error.code, message=error.message, field=next(iter(error.fields), None),
            client_id=about.client_id if about else None,
        )  # fmt: skip

    def _refuse_and_close(self, error: SupportBotError | AnyDatabaseError) -> None:
        known = error if isinstance(error, SupportBotError) else Unavailable()
        self._refuse(known)
        self._end(known.close_code or INTERNAL, known.code)

    def _end(self, code: int, reason: str) -> None:
        self._announce_activity("gone")  # while it is still known where
        self.out.close(code, reason)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("desk: a task of a socket failed", exc_info=task.exception())


def _load_conversation(conversation_id: UUID) -> Conversation:
    found: Conversation | None = Conversation.objects.select_related("customer").filter(pk=conversation_id).first()
    if found is None:  # erased this very moment
        raise NotFound()
    return found


def _store_message(frame: Reply | Note, agent: Agent) -> Receipt:
    if not agent.staff.may("conversations:write"):
        raise NotAllowed()
    conversation = conversation_for(agent.staff, frame.conversation)
    write = add_note if isinstance(frame, Note) else add_agent_message
    return write(conversation.pk, text=frame.text, author=agent.user, client_id=frame.client_id)


def _is_assigned_to(conversation_id: UUID, agent: Agent) -> bool:
    return bool(Conversation.objects.filter(pk=conversation_id, mode="person", agent=agent.user).exists())


def check_origin(headers: Headers) -> None:
    """Raise OriginRefused unless one of this installation's pages opens the socket: any page sends the cookie."""
    origin = read_origin(dict(headers).get(b"origin", b"").decode("latin-1"))
    if origin is None or origin not in own_origins():
        raise OriginRefused()


def session_key_of(headers: Headers) -> str:
    """Return the key of the browser's session, empty without one."""
    cookies = SimpleCookie()
    try:
        cookies.load(dict(headers).get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def authenticate(session_key: str) -> Agent:
    """Return the person of a log-in who may work at the desk; raises NotLoggedIn."""
    request = HttpRequest()
    request.session = SessionStore(session_key or None)
    user = get_user(request)
    if not isinstance(user, User):
        raise NotLoggedIn()
    staff = staff_logged_in(user, request.session.get(WORKSPACE_SESSION_KEY))
    if staff is None or not may_use_desk(staff):
        raise NotLoggedIn()
    return Agent(staff, user)
