"""A customer who keeps a chat going through crashes, as the widget does: reconnects, and resends until the ack."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import aiohttp
import orjson

from bench.chat import demo_questions

ENDS: Final = ("assistant.final", "assistant.failed")
QUESTIONS: Final = tuple(demo_questions())
CUTS_PER_SECOND: Final = 0.01
BACK_SECONDS: Final = (0.3, 2.0)
STEP_SECONDS: Final = 0.5
UNREACHABLE: Final = (aiohttp.ClientError, OSError, TimeoutError, ConnectionError)


@dataclass
class Problems:
    """The differences between the log and what the customer sent and saw."""

    answered: int = 0
    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    different: int = 0
    failures: list["Failure"] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """An answer that failed visibly: the customer may press *Try again*."""

    code: str
    at: datetime
    attempts: list[datetime]  # when each began


class LineCut(Exception):
    """The socket closed, or the customer closed it."""


class StubbornChat:
    def __init__(
        self, client: aiohttp.ClientSession, base: str, origin: str, channel: str, pause: float, rng: random.Random
    ) -> None:
        self._client, self._base, self._origin, self._channel = client, base, origin, channel
        self._pause, self._rng = pause, rng
        self._known: dict[str, str] = {}  # the conversation and the visitor's credential, once they exist
        self._last_seq = 0
        self._waiting = ""  # client id of the message whose answer has not ended
        self._sent_at = 0.0
        self._next_at = time.monotonic() + rng.uniform(0, pause)
        self._seen: dict[int, dict[str, Any]] = {}
        self._is_acknowledged = True
        self.asked: list[str] = []
        self.ack_seconds: list[float] = []
        self.last_end = 0.0
        self.closes: Counter[str] = Counter()

    async def chat_until(self, is_over: asyncio.Event) -> None:
        """Ask questions until `is_over` is set, and then wait for the last answer."""
        while not is_over.is_set() or self._waiting:
            try:
                await self._chat(is_over)
            except LineCut as cut:
                self.closes[str(cut)] += 1
            except UNREACHABLE:
                self.closes["unreachable"] += 1
            await asyncio.sleep(self._rng.uniform(*BACK_SECONDS))

    async def _chat(self, is_over: asyncio.Event) -> None:
        headers = {"Origin": self._origin}
        async with asyncio.timeout(20):
            ticket = await self._ticket(headers)
            socket = await self._client.ws_connect(ticket["ws_url"], headers=headers)
        async with socket:
            await self._send(socket, type="hello", ticket=ticket["ticket"], last_seq=self._last_seq)
            if self._waiting and not self._is_acknowledged:
                await self._say(socket)
            while not is_over.is_set() or self._waiting:
                if self._rng.random() < CUTS_PER_SECOND * STEP_SECONDS:
                    raise LineCut("own")
                if not self._waiting and not is_over.is_set() and time.monotonic() >= self._next_at:
                    self._ask()
                    await self._say(socket)
                await self._listen(socket)

    async def _ticket(self, headers: dict[str, str]) -> dict[str, Any]:
        body = {"channel": self._channel, **self._known}
        async with self._client.post(f"{self._base}/api/v1/widget/tickets", json=body, headers=headers) as answer:
            if answer.status != 201:
                raise LineCut(f"no ticket: {answer.status}")
            granted: dict[str, Any] = await answer.json()
        self._known = {
            "conversation": granted["conversation"],
            "visitor": granted.get("visitor") or self._known["visitor"],
        }
        return granted

    def _ask(self) -> None:
        self._waiting, self._is_acknowledged = uuid.uuid4().hex, False
        self._sent_at = time.monotonic()
        self.asked.append(self._waiting)

    async def _say(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        text = self._rng.choice(QUESTIONS)
        await self._send(socket, type="message", client_id=self._waiting, text=text)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, **frame: Any) -> None:
        await socket.send_str(orjson.dumps(frame).decode())

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Handle the frames that arrive within half a second."""
        ends = time.monotonic() + STEP_SECONDS
        while (left := ends - time.monotonic()) > 0:
            try:
                message = await socket.receive(timeout=left)
            except TimeoutError:
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise LineCut(str(socket.close_code))
            self._take(orjson.loads(message.data))

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ack" if frame["client_id"] == self._waiting:
                self._acknowledge()
            case "event":
                self._seen[frame["seq"]] = frame
                self._last_seq = max(self._last_seq, frame["seq"])
                if frame["event"] == "message" and frame["payload"].get("client_id") == self._waiting:
                    self._acknowledge()
                if frame["event"] in ENDS and self._is_acknowledged:
                    self._end()

    def _acknowledge(self) -> None:
        if not self._is_acknowledged:
            self._is_acknowledged = True
            self.ack_seconds.append(time.monotonic() - self._sent_at)

    def _end(self) -> None:
        self._waiting, self.last_end = "", time.monotonic()
        self._next_at = self.last_end + self._rng.uniform(0.5, 1.5) * self._pause

    async def problems(self) -> Problems:
        """Return the differences between the conversation's log and what the customer asked and saw."""
        log = await self._log()
        stored = Counter(
            event["payload"]["client_id"]
            for event in log
            if event["event"] == "message" and event["payload"]["source"] == "customer"
        )
        unanswered, repeated = unanswered_and_repeated(log)
        found = Problems(
            lost=len(set(self.asked) - set(stored)) + unanswered,
            doubled=sum(count - 1 for count in stored.values()) + repeated,
            gaps=sum(event["seq"] != number for number, event in enumerate(log, 1)),
        )
        found.answered = sum(event["event"] == "assistant.final" for event in log)
        found.failures = list(_failures(log))
        by_seq = {event["seq"]: event for event in log}
        found.different = sum(
            by_seq.get(seq, {}).get("payload") != event["payload"] for seq, event in self._seen.items()
        )
        return found

    async def _log(self) -> list[dict[str, Any]]:
        if not self._known:
            return []
        url = f"{self._base}/api/v1/conversations/{self._known['conversation']}/events"
        headers = {"Authorization": f"Bearer {self._known['visitor']}"}
        log: list[dict[str, Any]] = []
        while True:
            after = log[-1]["seq"] if log else 0
            async with self._client.get(url, params={"after": after, "limit": 500}, headers=headers) as answer:
                page = (await answer.json())["results"]
            log += page
            if not page:
                return log


def unanswered_and_repeated(log: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many messages of a log have no answer, and how many answers follow no message: a customer asks only
    after the last answer, so the two alternate. Totals alone would not show a lost answer next to a doubled one.
    """
    unanswered, repeated, is_waiting = 0, 0, False
    for event in log:
        if event["event"] == "message" and event["payload"]["source"] == "customer":
            unanswered, is_waiting = unanswered + is_waiting, True
        elif event["event"] in ENDS:
            repeated, is_waiting = repeated + (not is_waiting), False
    return unanswered + is_waiting, repeated


def _failures(log: list[dict[str, Any]]) -> Iterator[Failure]:
    attempts: list[datetime] = []
    for event in log:
        at = datetime.fromisoformat(event["created_at"])
        if event["event"] == "assistant.started":
            attempts.append(at)
        if event["event"] == "assistant.failed":
            yield Failure(event["payload"]["code"], at, attempts)
        if event["event"] in ENDS:
            attempts = []
