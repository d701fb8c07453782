"""A customer's chat with the bare relay or with the product (docs/protocol.md)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, Self
from uuid import uuid4

import aiohttp
import orjson

from bench.instance import Web
from bench.turns import Turn

TURN_SECONDS: Final = 30.0


class BenchFailed(Exception):
    """The server broke the protocol."""


class Chat(Protocol):
    async def turn(self, question: str) -> Turn: ...


class Socket:
    """A WebSocket that sends and receives frames."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, frame: dict[str, Any]) -> None:
        await self._socket.send_str(orjson.dumps(frame).decode())

    async def receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise BenchFailed(f"the socket closed: {message.data} {message.extra}")
        frame: dict[str, Any] = orjson.loads(message.data)
        return frame


class BareChat:
    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    @classmethod
    @asynccontextmanager
    async def open(cls, client: aiohttp.ClientSession, url: str) -> AsyncIterator[Self]:
        async with client.ws_connect(url) as socket:
            yield cls(Socket(socket))

    async def turn(self, question: str) -> Turn:
        turn = Turn(sent_at=time.monotonic())
        await self._socket.send({"type": "message", "text": question})
        while not turn.done_at:
            frame = await self._socket.receive()
            turn.frames += 1
            if frame["type"] == "done":
                turn.finish(time.monotonic())
            else:
                turn.take_delta(frame, time.monotonic())
        return turn


class ProductChat:
    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    @classmethod
    @asynccontextmanager
    async def open(
        cls, client: aiohttp.ClientSession, web: Web, channel: str, *, offers_compression: bool = False
    ) -> AsyncIterator[Self]:
        """Request a socket ticket as a visitor's page does, open the socket with it and wait for the welcome frame."""
        headers = {"Origin": web.origin}
        tickets = f"{web.origin}/api/v1/widget/tickets"
        async with client.post(tickets, json={"channel": channel}, headers=headers) as answer:
            if answer.status != 201:
                raise BenchFailed(f"no ticket: {answer.status} {await answer.text()}")
            ticket = await answer.json()
        compress = 15 if offers_compression else 0
        async with client.ws_connect(ticket["ws_url"], headers=headers, compress=compress) as websocket:
            socket = Socket(websocket)
            await socket.send({"type": "hello", "ticket": ticket["ticket"]})
            while (await socket.receive())["type"] != "welcome":
                pass
            yield cls(socket)

    async def turn(self, question: str) -> Turn:
        turn = Turn(sent_at=time.monotonic())
        await self._socket.send({"type": "message", "client_id": uuid4().hex, "text": question})
        while not turn.done_at:
            frame = await self._socket.receive()
            turn.frames += 1
            match frame["type"]:
                case "delta":
                    turn.take_delta(frame, time.monotonic())
                case "event" if frame["event"] == "assistant.final":
                    turn.citations = len(frame["payload"]["citations"])
                    turn.finish(time.monotonic(), final_text=frame["payload"]["text"])
                case "error":
                    raise BenchFailed(f"{frame['code']}: {frame['message']}")
                case "event" if frame["event"] == "assistant.failed":
                    raise BenchFailed(f"assistant.failed: {frame['payload']['code']}")
        return turn


async def turns_of(chat: Chat, questions: list[str]) -> list[Turn]:
    """Ask the questions one after another, and return the turns. Raises TimeoutError if an answer takes too long."""
    turns = []
    for question in questions:
        async with asyncio.timeout(TURN_SECONDS):
            turns.append(await chat.turn(question))
    return turns
