"""Customers in a storm: each requests one small refund after another, and reconnects after every lost connection."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.exceptions import WebSocketException

from tests.chaos.model import refund
from tests.chaos.system import System
from tests.flows.people import call
from tests.flows.stack import STOREFRONT
from tests.widget.page import Socket, open_socket

FINAL: Final = frozenset({"action.succeeded", "action.failed", "action.cancelled", "action.rejected", "action.expired"})
ANSWERS: Final = frozenset({"assistant.final", "assistant.failed"})
# A page retries these after a moment.
PASSING: Final = frozenset({"unavailable", "merchant_unavailable", "throttled", "too_many_requests"})
TWICE: Final = 2  # every request frame is sent twice, as by a bad connection or a double click
PATIENCE_SECONDS: Final = 4.0
PAUSE_SECONDS: Final = 0.4


class Away(Exception):
    """The product does not answer properly at the moment."""


@dataclass
class Refund:
    amount: str
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_acked: bool = False
    card: dict[str, Any] | None = None
    is_confirmed: bool = False
    outcome: str = ""  # the final event of its request, or why there is none


@dataclass
class Shopper:
    """One customer, their conversation and its log as they saw it."""

    system: System
    subject: str
    order: str
    token: str
    conversation: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    refunds_wanted: list[Refund] = field(default_factory=list)
    reconnects: int = 0

    async def shop_until(self, is_over: Callable[[], bool]) -> None:
        """Request one refund after another; finish the current one once the storm is over."""
        while not is_over():
            cents = len(self.refunds_wanted) + 1
            self.refunds_wanted.append(Refund(f"{cents // 100}.{cents % 100:02}"))
            await self._hold_on(self.refunds_wanted[-1])
            if any(event["event"] == "handoff.requested" for event in self.log):
                # The assistant does not answer after a request for a person.
                self.conversation, self.log = "", []

    async def _hold_on(self, wanted: Refund) -> None:
        while not wanted.outcome:
            try:
                async with self._socket() as socket:
                    await self._carry_through(socket, wanted)
            except (Away, OSError, TimeoutError, WebSocketException):
                self.reconnects += 1
                await asyncio.sleep(PAUSE_SECONDS)

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[Socket]:
        """Open a socket and read missed events."""
        body = {"channel": self.system.stack.demo["channel"], "token": self.token}
        if self.conversation:
            body["conversation"] = self.conversation
        status, granted = await call(self.system.address, "POST", "/api/v1/widget/tickets", body, Origin=STOREFRONT)
        if status != 201:
            raise Away(f"{status} for a ticket")
        self.conversation = granted["conversation"]
        async with open_socket(self.system.address, origin=STOREFRONT) as socket:
            await socket.say("hello", ticket=granted["ticket"], last_seq=self._last_seq)
            welcome = await socket.next(PATIENCE_SECONDS)
            if welcome["type"] != "welcome":
                raise Away(welcome["type"])
            yield socket

    async def _carry_through(self, socket: Socket, wanted: Refund) -> None:
        """Send all unsent frames, and read until this refund is final or the connection is lost."""
        if not wanted.is_acked:
            for _ in range(TWICE):
                await socket.say("message", client_id=wanted.client_id, text=refund(wanted.amount, self.order))
        elif wanted.card is not None and not wanted.is_confirmed:
            await self._confirm(socket, wanted)
        quiet = 0
        while not wanted.outcome:
            try:
                frame = await socket.next(PATIENCE_SECONDS)
            except TimeoutError:
                quiet += 1
                if quiet > 3:  # a page would notice the missing pongs
                    raise
                await socket.say("ping")
                continue
            await self._take(socket, wanted, frame)

    async def _take(self, socket: Socket, wanted: Refund, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ack" if frame["client_id"] == wanted.client_id:
                wanted.is_acked = True
            case "event":
                await self._hear(socket, wanted, frame)
            case "error" if frame["code"] == "not_waiting":
                wanted.is_confirmed = True  # an earlier click had arrived
            case "error" if frame["code"] in PASSING:
                raise Away(frame["code"])
            case "error":
                wanted.outcome = f"error {frame['code']}"
            case "reset":
                raise AssertionError("the log was reset under a reader who had missed little")

    async def _hear(self, socket: Socket, wanted: Refund, event: dict[str, Any]) -> None:
        assert event["prev_seq"] == self._last_seq, f"{event['prev_seq']} follows {self._last_seq}"
        self.log.append(event)
        name, payload = event["event"], event["payload"]
        if name == "message" and payload.get("client_id") == wanted.client_id:
            wanted.is_acked = True
        elif name == "action.proposed" and payload["arguments"]["amount"] == wanted.amount:
            wanted.card = payload
            await self._confirm(socket, wanted)
        elif wanted.card is not None and payload.get("request") == wanted.card["request"]:
            self._follow(wanted, name)
        elif wanted.card is None and name == "handoff.requested":
            wanted.outcome = "handed over"  # an earlier request needs a person, so the assistant no longer answers
        elif wanted.card is None and name in ANSWERS and wanted.is_acked and not payload.get("request"):
            wanted.outcome = "no card"  # an explanation of an earlier request would mention it

    @property
    def _last_seq(self) -> int:
        return int(self.log[-1]["seq"]) if self.log else 0

    def story(self) -> str:
        """Return this customer's state, for the report of a failure."""
        return f"{self.subject}: {self.refunds_wanted[-1:]} after {[event['event'] for event in self.log[-6:]]}"

    async def _confirm(self, socket: Socket, wanted: Refund) -> None:
        assert wanted.card is not None
        for _ in range(TWICE):
            await socket.say("confirm", request=wanted.card["request"], digest=wanted.card["digest"])

    def _follow(self, wanted: Refund, name: str) -> None:
        if name in FINAL:
            wanted.outcome = name
        elif name == "action.queued":
            wanted.is_confirmed = True
