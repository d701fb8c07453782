"""A client of the desk's socket; every frame is checked against the published schemas."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
from django.conf import settings
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import supportbot.handoff
from supportbot.accounts.models import User
from supportbot.accounts.origins import own_origins
from supportbot.async_db import db
from tests.events import check_event
from tests.patience import PATIENCE_SECONDS

OWN_ORIGIN = "the installation's own origin"


def schema(name: str) -> Any:
    return json.loads((Path(supportbot.handoff.__path__[0]) / "desk" / "schemas" / f"{name}.json").read_text())


CLIENT_FRAMES = jsonschema.Draft202012Validator(schema("client"))
SERVER_FRAMES = jsonschema.Draft202012Validator(schema("server"))


class DeskSocket:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []

    async def send_frame(self, kind: str, /, **fields: Any) -> None:
        """Send a valid frame."""
        frame = {"type": kind, **fields}
        CLIENT_FRAMES.validate(frame)
        await self.send_raw(frame)

    async def send_raw(self, frame: Any) -> None:
        """Send a possibly invalid frame; text and bytes are sent as they are."""
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        SERVER_FRAMES.validate(frame)
        if frame["type"] == "event":
            check_event(frame["event"], frame["payload"])
        self.frames.append(frame)
        return frame

    async def until(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """Return the next frame of a type, or event of a name, with these fields."""
        while True:
            frame = await self.next()
            if kind in (frame["type"], frame.get("event")) and all(frame.get(key) == wanted[key] for key in wanted):
                return frame

    async def subscribe(self, conversation_id: Any, **fields: Any) -> None:
        await self.send_frame("subscribe", conversation=str(conversation_id), **fields)
        await self.until("head")

    async def frames_until_ping(self) -> list[dict[str, Any]]:
        """Return the frames that arrive before the answer to a ping."""
        seen = len(self.frames)
        await self.send_frame("ping")
        await self.until("head")
        return self.frames[seen:-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "event"]

    async def close_code(self) -> int:
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the connection was cut without a close frame"
            return int(closed.rcvd.code)


def cookie_of(user: User) -> str:
    """Return the session cookie of a logged-in user."""
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@asynccontextmanager
async def open_desk(server: str, cookie: str, *, origin: str | None = OWN_ORIGIN) -> AsyncIterator[DeskSocket]:
    """Open a socket as a browser with this cookie on a page of `origin` does."""
    named: Any = next(iter(own_origins())) if origin == OWN_ORIGIN else origin
    headers = {"Cookie": cookie} if cookie else {}
    address = server.replace("http", "ws", 1) + "/ws/v1/desk/"
    options: Any = {"max_size": None, "ping_interval": None}  # its own pings would close the socket on a busy machine
    async with connect(address, origin=named, additional_headers=headers, **options) as connection:
        yield DeskSocket(connection)


@asynccontextmanager
async def logged_in_desk(server: str, user: User) -> AsyncIterator[DeskSocket]:
    """Open a socket as this user, send hello and wait for the queue."""
    async with open_desk(server, await db(cookie_of, user)) as socket:
        await socket.send_frame("hello")
        await socket.until("queue")
        yield socket
