"""The server: HTTP/1.1 written by hand on asyncio, so that it can break any rule for a test."""

import asyncio
import contextlib
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from tests.modelserver.behaviour import (
    Behaviour,
    call_events,
    closing_events,
    opening_events,
    text_events,
    whole_answer,
)
from tests.patience import PATIENCE_SECONDS

JSON = "application/json"
VECTOR_SIZE = 8


@dataclass(frozen=True)
class RecordedRequest:
    """One request as received."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ModelServer:
    """A server that shows the given behaviours in order, then `default`, and records its requests."""

    def __init__(self, *, models: Iterable[str] = ("scripted",), port: int = 0) -> None:
        self.models = list(models)
        self.default = Behaviour()
        self.asked: list[RecordedRequest] = []
        self.vector_of = vector_of  # the vector of a text; another function acts as another model
        self.active = 0
        self.peak = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._script: deque[Behaviour] = deque()
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def will(self, *behaviours: Behaviour) -> None:
        """Add behaviours to the script."""
        self._script.extend(behaviours)

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all chat requests so far."""
        return [asked.body for asked in self.asked if asked.path.endswith("/chat/completions")]

    @property
    def left_over(self) -> int:
        return len(self._script)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def until_idle(self) -> None:
        """Wait until no answer is being sent, which shows that a cancelled call closed its connection."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._idle.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            asked = await _read(reader)
            if asked is not None:
                self.asked.append(asked)
                await self._answer_while_connected(asked, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_while_connected(
        self, asked: RecordedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer, unless the client disconnects first. A connection has one request, so any read means the end."""
        self._began()
        answering = asyncio.create_task(self._answer(asked, writer))
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            self._ended()

    def _began(self) -> None:
        self.active += 1
        self.peak = max(self.peak, self.active)
        self._idle.clear()

    def _ended(self) -> None:
        self.active -= 1
        if not self.active:
            self._idle.set()

    async def _answer(self, asked: RecordedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.path.endswith("/chat/completions"):
            return await self._chat(self._next(), asked.body, writer)
        if asked.path.endswith("/embeddings"):
            return await self._embeddings(self._next(), asked.body, writer)
        if asked.path.endswith("/models"):
            rows = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.models]
            return await _send(writer, 200, {"object": "list", "data": rows})
        return await self._control(asked, writer)

    async def _control(self, asked: RecordedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.path == "/__will":
            behaviours = asked.body if isinstance(asked.body, list) else [asked.body]
            self.will(*(Behaviour.from_json(dict(raw)) for raw in behaviours))
            return await _send(writer, 200, {"left": self.left_over})
        if asked.path == "/__log":
            return await _send(writer, 200, {"chats": self.chats, "active": self.active - 1, "left": self.left_over})
        return await _send(writer, 404, {"error": {"message": f"nothing at {asked.path}"}})

    def _next(self) -> Behaviour:
        return self._script.popleft() if self._script else self.default

    async def _chat(self, behaviour: Behaviour, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        refusal = _refusal(behaviour, body)
        if refusal is not None:
            if behaviour.refuses or behaviour.refuses_silently:
                self._script.appendleft(behaviour)  # the next, simpler request gets the same behaviour
            if behaviour.raw is not None:
                return await _send_bytes(writer, refusal[0], behaviour.raw, JSON)
            return await _send(writer, *refusal, retry_after=behaviour.retry_after)
        if behaviour.is_whole or not body.get("stream"):
            await asyncio.sleep(behaviour.first_after)
            return await _send_bytes(writer, 200, whole_answer(behaviour), behaviour.content_type or JSON)
        return await _stream(behaviour, body, writer)

    async def _embeddings(self, behaviour: Behaviour, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if behaviour.status != 200:
            return await _send(writer, behaviour.status, {"error": {"message": behaviour.error}})
        await asyncio.sleep(behaviour.first_after)
        if behaviour.raw is not None:
            return await _send_bytes(writer, 200, behaviour.raw, JSON)
        rows = [
            {"object": "embedding", "index": i, "embedding": self.vector_of(t)} for i, t in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return await _send(writer, 200, {"object": "list", "data": rows[::-1], "usage": usage})


def vector_of(text: str) -> list[float]:
    """Return the vector this server gives for a text: equal texts, equal vectors."""
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:VECTOR_SIZE]]


def _refusal(behaviour: Behaviour, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    if behaviour.refuses and body.get(behaviour.refuses):
        return 400, {"error": {"message": f"Unsupported parameter: {behaviour.refuses}"}}
    if behaviour.refuses_silently and body.get(behaviour.refuses_silently):
        return 400, {"error": {"message": "Bad request."}}
    if behaviour.status != 200:
        return behaviour.status, {"error": {"message": behaviour.error, "code": behaviour.error_code}}
    return None


async def _stream(behaviour: Behaviour, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    content_type = behaviour.content_type or "text/event-stream"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    async for data in _paced(behaviour, wants_usage=wants_usage):
        if data is None:
            return  # cut: the connection closes in the middle of the body
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()
    if behaviour.stays_open:
        await asyncio.Event().wait()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _paced(behaviour: Behaviour, *, wants_usage: bool) -> AsyncIterator[bytes | None]:
    """Yield the body at the behaviour's pace; None where it is cut."""
    await asyncio.sleep(behaviour.first_after)
    if behaviour.raw is not None:
        step = 1 if behaviour.bytes_per_second else behaviour.split or len(behaviour.raw) or 1
        for start in range(0, len(behaviour.raw), step):
            yield behaviour.raw[start : start + step]
            await asyncio.sleep(1 / behaviour.bytes_per_second if behaviour.bytes_per_second else 0)
        if behaviour.cuts_raw:
            yield None
        return
    closing = chain(call_events(behaviour), closing_events(behaviour, wants_usage=wants_usage))
    if behaviour.split or behaviour.bytes_per_second:
        whole = b"".join(chain(opening_events(behaviour), text_events(behaviour), closing))
        step = behaviour.split or 1
        for start in range(0, len(whole), step):
            yield whole[start : start + step]
            await asyncio.sleep(1 / behaviour.bytes_per_second if behaviour.bytes_per_second else 0)
        return
    for data in opening_events(behaviour):
        yield data
    for count, data in enumerate(text_events(behaviour)):
        if count == behaviour.cut_after:
            yield None
            return
        if count == behaviour.stall_after:
            await (behaviour.gate or asyncio.Event()).wait()
        yield data
        await asyncio.sleep(behaviour.gap)
    for data in closing:
        yield data


async def _read(reader: asyncio.StreamReader) -> RecordedRequest | None:
    """Return the next request of a connection, None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head[0].split(" ", 2)
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    return RecordedRequest(method, path.partition("?")[0], headers, json.loads(raw) if raw else {})


async def _send(
    writer: asyncio.StreamWriter, status: int, body: dict[str, Any], *, retry_after: str | None = None
) -> None:
    extra = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    return await _send_bytes(writer, status, json.dumps(body).encode(), JSON, extra)


async def _send_bytes(
    writer: asyncio.StreamWriter, status: int, body: bytes, content_type: str, extra: str = ""
) -> None:
    head = (
        f"HTTP/1.1 {status} Scripted\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
        f"{extra}Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
