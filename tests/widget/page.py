"""A merchant's page: it signs identities, requests tickets, opens a socket and exchanges frames."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import jwt
from django.http import HttpResponse
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

import supportbot.widget.socket
from supportbot.accounts.channels import NewChannel
from tests.events import check_event
from tests.patience import PATIENCE_SECONDS

PAGE_ORIGIN = "https://shop.acme.test"
ADDRESS = "/api/v1/widget/tickets"


def schema(name: str) -> Any:
    """Return a published schema: `client` or `server`."""
    return json.loads((Path(supportbot.widget.socket.__path__[0]) / "schemas" / f"{name}.json").read_text())


CLIENT_FRAMES = jsonschema.Draft202012Validator(schema("client"))
SERVER_FRAMES = jsonschema.Draft202012Validator(schema("server"))


def identity_token(channel: NewChannel, subject: str = "cus_alice", **changes: Any) -> str:
    """Return a token as the merchant's server signs it; `changes` replace claims, None removes one."""
    now = int(time.time())
    claims = {"sub": subject, "aud": channel.channel.key, "iat": now, "exp": now + 600} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, channel.identity_secret, algorithm="HS256")


def ask_for_ticket(body: Any, *, origin: str | None = PAGE_ORIGIN, **headers: str) -> HttpResponse:
    """Request a ticket as a page does, or as an attacker with raw bytes."""
    sent = headers | ({"Origin": origin} if origin is not None else {})
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client(raise_request_exception=False).post(ADDRESS, data, content_type="application/json", headers=sent)


def ticket(channel: NewChannel, **fields: Any) -> dict[str, Any]:
    """Return the response to a ticket request."""
    response = ask_for_ticket({"channel": channel.channel.key, **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


class Socket:
    """A client that records every frame, and validates it against the published schema."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a valid frame."""
        frame = {"type": kind, **fields}
        CLIENT_FRAMES.validate(frame)
        await self.send(frame)

    async def send(self, frame: Any) -> None:
        """Send a frame that may be invalid; text and bytes are sent as they are."""
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def next(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        SERVER_FRAMES.validate(frame)
        if frame["type"] == "event":
            check_event(frame["event"], frame["payload"])
        self.frames.append(frame)
        return frame

    async def until(self, kind: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the next frame of this type, or the next event of this name."""
        while True:
            frame = await self.next(seconds)
            if kind in (frame["type"], frame.get("event")):
                return frame

    async def until_seq(self, seq: int) -> list[dict[str, Any]]:
        """Return all events so far, once the one with this seq has arrived."""
        while not self.events or self.events[-1]["seq"] < seq:
            await self.next()
        return self.events

    @property
    def events(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "event"]

    @property
    def deltas(self) -> str:
        return "".join(frame["text"] for frame in self.frames if frame["type"] == "delta")

    async def hello(self, ticket: str, **fields: Any) -> dict[str, Any]:
        await self.say("hello", ticket=ticket, **fields)
        return await self.next()

    async def quiet(self) -> list[dict[str, Any]]:
        """Return the frames before the reply to a ping, by which time everything that was in flight has arrived."""
        seen = len(self.frames)
        await self.say("ping")
        await self.until("head")
        return self.frames[seen:-1]

    async def pings(self, number: int) -> None:
        """Return once this many more of the server's own pings have arrived; the connection answers each."""
        arrived = asyncio.Semaphore(0)

        def count(frame: Frame) -> bool:
            if frame.opcode is Opcode.PING:
                arrived.release()
            return True

        self._filter_frames(count)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(number):
                await arrived.acquire()

    def ignore_pings(self) -> None:
        """Answer no ping of the server from now on."""
        self._filter_frames(lambda frame: frame.opcode is not Opcode.PING)

    def _filter_frames(self, is_received: Callable[[Frame], bool]) -> None:
        protocol: Any = self.connection.protocol
        receive = protocol.recv_frame
        protocol.recv_frame = lambda frame: receive(frame) if is_received(frame) else None

    async def close_code(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the code that the server closes with."""
        try:
            while True:
                await self.next(seconds)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the connection was cut without a close frame"
            return int(closed.rcvd.code)


@asynccontextmanager
async def open_socket(
    server: str, *, origin: str | None = PAGE_ORIGIN, path: str = "/ws/v1/chat/", **headers: str
) -> AsyncIterator[Socket]:
    """Open a socket as a browser on a page of `origin` does."""
    address = server.replace("http", "ws", 1) + path
    named: Any = origin
    options: Any = {"max_size": None, "ping_interval": None}  # its own pings would time out on a busy machine
    async with connect(address, origin=named, additional_headers=headers, **options) as connection:
        yield Socket(connection)


@asynccontextmanager
async def greeted(server: str, granted: dict[str, Any], **fields: Any) -> AsyncIterator[Socket]:
    """Open a socket and send `hello` with a ticket."""
    async with open_socket(server) as socket:
        welcome = await socket.hello(granted["ticket"], **fields)
        assert welcome["type"] == "welcome", welcome
        yield socket
