"""The desk's socket: an agent's login, their workspace's queue, and one conversation at a time.

Invariants: nothing is read before login and origin are checked. Both the login and the permissions are checked again
with every frame and every few seconds. The socket subscribes before it reads the log, so no event is missed.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, assert_never
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import Error as AnyDatabaseError
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import override

from supportbot.accounts.models import User
from supportbot.accounts.origins import own_origins, read_origin
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.staff_principals import staff_logged_in
from supportbot.async_db import db
from supportbot.chat.access import conversation_for
from supportbot.chat.models import Conversation
from supportbot.chat.services import Receipt, add_agent_message, add_note
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import AgentViewing, Typing
from supportbot.chat.socket_base import Socket
from supportbot.errors import NotAllowed, NotFound, SupportBotError, Unavailable
from supportbot.handoff.desk.conversation_lines import reader_of
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
from supportbot.handoff.desk.writer import Outbound, Subscription
from supportbot.handoff.errors import BadFrame, NotLoggedIn, OriginRefused, WorkspaceChanged
from supportbot.handoff.tickets.access import may_use_desk
from supportbot.handoff.tickets.presence import record_presence
from supportbot.team_language import team_language

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
    """A logged-in agent with their current permissions."""

    staff: Staff
    user: User


class DeskConsumer(Socket):
    """Parses each frame, handles it with one service call, and reports errors as frames."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.out = Outbound(self.send, lambda code, reason: self.close(code=code, reason=reason))
        self.out.on_colleague_activity = self._on_colleague_activity
        self._session_key = self._accepted_languages = ""
        self._agent: Agent | None = None
        self._is_welcomed = False
        self._doing = "reading"
        self._bad_frames = 0
        self._frames_left = MAX_FRAMES_PER_HEARTBEAT
        self._hello_timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket, and clean up however it ends."""
        tasks = [asyncio.create_task(self.out.run()), asyncio.create_task(self._heartbeat())]
        for task in tasks:
            task.add_done_callback(_log_failure)
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._hello_timer is not None:
                self._hello_timer.cancel()
            self._announce_activity("gone")
            self.out.leave()
            for task in tasks:
                task.cancel()

    async def connect(self) -> None:
        await self.accept()  # even if it is refused next: clients see a close code only if the socket was open
        headers = list(self.scope["headers"])
        self._session_key = session_key_of(headers)
        self._accepted_languages = dict(headers).get(b"accept-language", b"").decode("latin-1")
        try:
            check_origin(headers)
            self._agent = await db(authenticate, self._session_key)
        except (SupportBotError, AnyDatabaseError) as error:
            self._refuse_and_close(error)
            return
        # The timer starts after authentication, so that a slow database does not count against the client.
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(HELLO_SECONDS, self._close_with, NOT_LOGGED_IN, "no hello in time")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.out.is_closing or self._agent is None:
            return
        self._frames_left -= 1
        if self._frames_left < 0:
            self._close_with(FLOODING, "too many frames: try again later")
            return
        try:
            await self._handle(parse_client_frame(text_data))
        except BadFrame as error:
            self._refuse(error)
            self._bad_frames += 1
            if self._bad_frames == MAX_BAD_FRAMES:
                self._close_with(BAD_FRAMES, "three bad frames in a row")
        else:
            self._bad_frames = 0

    async def _handle(self, frame: ClientFrame) -> None:
        if isinstance(frame, Hello) == self._is_welcomed:
            raise BadFrame("Send `hello` first, and only once.", fields={"type": ["Out of order."]})
        try:
            agent = await self._current_agent()
            with workspace_scope(agent.staff.workspace_id), override(self._language_of(agent)):
                await self._dispatch(frame, agent)
        except (NotLoggedIn, WorkspaceChanged) as error:
            self._refuse_and_close(error)
        except SupportBotError as error:
            self._refuse(error, frame)
        except AnyDatabaseError as error:
            if isinstance(frame, Hello | Subscribe):  # otherwise, the browser would wait for updates that never come
                self._refuse_and_close(error)
            else:  # nothing was stored; the browser keeps the text and sends it again
                self._refuse(Unavailable(), frame)

    def _language_of(self, agent: Agent) -> str:
        """Return the language of the agent's pages; the socket's texts use it too."""
        return team_language(agent.user.language, self._accepted_languages)

    async def _current_agent(self) -> Agent:
        """Authenticate again, so that a revoked permission takes effect with the next frame.

        Raises NotLoggedIn, or WorkspaceChanged if the agent has switched workspaces: the socket remains subscribed to
        the one it was opened in.
        """
        previous, agent = self._agent, await db(authenticate, self._session_key)
        if previous is not None and previous.staff.workspace_id != agent.staff.workspace_id:
            raise WorkspaceChanged()
        self._agent = agent
        return agent

    async def _dispatch(self, frame: ClientFrame, agent: Agent) -> None:
        match frame:
            case Hello():
                await self._welcome(agent)
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

    async def _welcome(self, agent: Agent) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        await db(record_presence, agent.user)
        self._is_welcomed = True
        self.out.frame("welcome", protocol=PROTOCOL, user=agent.user.pk, name=agent.user.display_name, at=now())
        await self.out.open(agent.staff.workspace_id, agent.user, language=self._language_of(agent))

    async def _subscribe(self, frame: Subscribe, agent: Agent) -> None:
        await db(conversation_for, agent.staff, frame.conversation)  # check access before subscribing
        self._announce_activity("gone")
        self._doing = "reading"
        await self.out.listen(frame.conversation)
        conversation = await db(_load_conversation, frame.conversation)
        head = conversation.last_seq
        # A seq beyond the head belongs to a log that this database no longer has.
        start = head if frame.last_seq is None or frame.last_seq > head else frame.last_seq
        self.out.frame("head", conversation=conversation.pk, seq=start)
        self.out.follow(Subscription(conversation.pk, reader_of(conversation, agent.user), start, head))
        self._announce_activity("reading", asks=True)

    async def _typing(self, frame: AgentTyping, agent: Agent) -> None:
        followed = self.out.followed
        if followed is None or followed.conversation_id != frame.conversation:
            raise BadFrame(
                "Typing can be reported only for the conversation that is open.", fields={"conversation": ["Not open."]}
            )
        self._announce_activity(_ACTIVITIES[frame.kind])
        if frame.kind == "reply" and await db(_is_assigned_to, frame.conversation, agent):
            signal_broker().publish(frame.conversation, Typing(agent.user.display_name, "agent"))

    # --- Colleagues in the same conversation.

    def _announce_activity(self, doing: str, *, asks: bool = False) -> None:
        followed = self.out.followed
        if followed is not None and self._agent is not None:
            self._doing = doing
            user = self._agent.user
            signal_broker().publish(
                followed.conversation_id, AgentViewing(str(user.pk), user.display_name, doing, asks)
            )

    def _on_colleague_activity(self, signal: AgentViewing) -> None:
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
            if self._is_welcomed:
                with suppress(AnyDatabaseError):  # losing the database must not disconnect anyone
                    await self._recheck_agent()

    async def _recheck_agent(self) -> None:
        """Authenticate again, record the agent's presence and announce what they are doing."""
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
        reported = error if isinstance(error, SupportBotError) else Unavailable()
        self._refuse(reported)
        self._close_with(reported.close_code or INTERNAL, reported.code)

    def _close_with(self, code: int, reason: str) -> None:
        self._announce_activity("gone")  # while the conversation is still known
        self.out.close(code, reason)


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("desk: a task of a socket failed", exc_info=task.exception())


def _load_conversation(conversation_id: UUID) -> Conversation:
    found: Conversation | None = Conversation.objects.select_related("customer").filter(pk=conversation_id).first()
    if found is None:  # erased in the meantime
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
    """Raise OriginRefused unless the socket was opened by a page of this installation.

    Browsers send the cookie whichever site's page opens the socket.
    """
    origin = read_origin(dict(headers).get(b"origin", b"").decode("latin-1"))
    if origin is None or origin not in own_origins():
        raise OriginRefused()


def session_key_of(headers: Headers) -> str:
    """Return the browser's session key, or "" if it has none."""
    cookies = SimpleCookie()
    try:
        cookies.load(dict(headers).get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def authenticate(session_key: str) -> Agent:
    """Return the agent whose session this is; raises NotLoggedIn unless they may use the desk."""
    request = HttpRequest()
    request.session = SessionStore(session_key or None)
    user = get_user(request)
    if not isinstance(user, User):
        raise NotLoggedIn()
    staff = staff_logged_in(user, request.session.get(WORKSPACE_SESSION_KEY))
    if staff is None or not may_use_desk(staff):
        raise NotLoggedIn()
    return Agent(staff, user)
