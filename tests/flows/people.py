"""A visitor's browser and an agent's program: HTTP for tickets and REST, a socket for the chat."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from tests.flows.stack import STOREFRONT, Stack
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import Socket, open_socket

ENDS = ("assistant.final", "assistant.failed")


async def call(address: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return status and JSON of one request; in a thread, since the model server runs on the test's own loop."""
    return await asyncio.to_thread(_call, address + path, method, body, headers)


def _call(url: str, method: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, _read(answer.read())
    except HTTPError as error:
        return error.code, _read(error.read())


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode()


@dataclass
class Agent:
    """The team lead, through an API key that acts as them."""

    stack: Stack
    address: str

    async def does(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request that must succeed, and return the response."""
        key = f"Bearer {self.stack.demo['api_key']}"
        status, answer = await call(self.address, method, f"/api/v1/{path}", body, Authorization=key)
        assert status in (200, 201, 202), (path, status, answer)
        return answer


@dataclass
class Visitor:
    """An anonymous customer and their conversation."""

    stack: Stack
    address: str
    conversation: str = ""
    secret: str = ""

    @property
    def agent(self) -> Agent:
        """The team lead, on the same web process."""
        return Agent(self.stack, self.address)

    async def ticket(self, address: str = "") -> dict[str, Any]:
        """Ask for a ticket, as a page of the storefront does: for a new conversation at first, then for this one."""
        known = {"conversation": self.conversation, "visitor": self.secret} if self.conversation else {}
        body = {"channel": self.stack.demo["channel"], **known}
        status, granted = await call(address or self.address, "POST", "/api/v1/widget/tickets", body, Origin=STOREFRONT)
        assert status == 201, granted
        self.conversation, self.secret = granted["conversation"], granted.get("visitor", self.secret)
        answer: dict[str, Any] = granted
        return answer

    @asynccontextmanager
    async def chat(self, *, at: str = "", **hello: Any) -> AsyncIterator[Socket]:
        """Open a socket for the conversation, on this web process or another one."""
        granted = await self.ticket(at)
        async with open_socket(at or self.address, origin=STOREFRONT) as socket:
            welcome = await socket.hello(granted["ticket"], **hello)
            assert welcome["type"] == "welcome", welcome
            yield socket

    async def log(self, address: str = "") -> list[dict[str, Any]]:
        """Return the conversation's events over REST."""
        path = f"/api/v1/conversations/{self.conversation}/events?after=0"
        status, page = await call(address or self.address, "GET", path, Authorization=f"Bearer {self.secret}")
        assert status == 200, page
        events: list[dict[str, Any]] = page["results"]
        return events


async def say(socket: Socket, text: str) -> None:
    await socket.say("message", client_id=uuid.uuid4().hex, text=text)


async def answer_of(socket: Socket) -> dict[str, Any]:
    """Return the event that ends the current answer."""
    while True:
        frame = await socket.next(PATIENCE_SECONDS)
        if frame.get("event") in ENDS:
            return frame


async def ask(socket: Socket, text: str) -> dict[str, Any]:
    """Ask, and return the payload of the answer's last event."""
    await say(socket, text)
    payload: dict[str, Any] = (await answer_of(socket))["payload"]
    return payload


def shown(frames: list[dict[str, Any]], attempt: int) -> str:
    """Return the text of one attempt's deltas, for a client that only appends."""
    deltas = [frame for frame in frames if frame["type"] == "delta" and frame["attempt"] == attempt]
    assert [delta["index"] for delta in deltas] == sorted({delta["index"] for delta in deltas})
    return "".join(delta["text"] for delta in deltas)


def assert_whole(events: list[dict[str, Any]]) -> None:
    """Assert that a log has no gaps or duplicates, and that each event names the one before it."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["prev_seq"] for event in events] == list(range(len(events)))


def finals(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["payload"] for event in events if event["event"] == "assistant.final"]
