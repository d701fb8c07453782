"""The baseline: an ASGI application that reads a Chat Completions stream and forwards its text over a WebSocket.

    UPSTREAM=http://127.0.0.1:9100/v1 python -m uvicorn bench.bare_relay:application

No framework, no database, no checks, nothing stored: any chat server on this interpreter does at least this. `/` sends
one frame per token; `/windowed` sends the first token at once and then one frame per 30 ms (the product sends one per
70 ms).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
import orjson

UPSTREAM: Final = os.environ.get("UPSTREAM", "http://127.0.0.1:9100/v1")
WINDOW_SECONDS: Final = 0.03  # not the product's interval, so that new figures stay comparable with old ones
_JSON: Final = {"Content-Type": "application/json"}
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_client: aiohttp.ClientSession | None = None


def client() -> aiohttp.ClientSession:
    global _client
    if _client is None:  # created on first use, because it belongs to the running loop
        _client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    return _client


async def tokens(question: str) -> AsyncIterator[str]:
    body = {"model": "paced", "stream": True, "messages": [{"role": "user", "content": question}]}
    async with client().post(f"{UPSTREAM}/chat/completions", data=orjson.dumps(body), headers=_JSON) as response:
        rest = b""
        async for data in response.content.iter_any():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    choices = orjson.loads(line[6:])["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        yield text


async def windows(source: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the first text at once, then the text of each window."""
    pending: list[str] = []
    arrived = asyncio.Event()

    async def collect() -> None:
        async for text in source:
            pending.append(text)
            arrived.set()

    collecting = asyncio.create_task(collect())
    collecting.add_done_callback(lambda _: arrived.set())
    while pending or not collecting.done():
        await arrived.wait()
        arrived.clear()
        if pending:
            text = "".join(pending)
            pending.clear()
            yield text
            await asyncio.wait([collecting], timeout=WINDOW_SECONDS)  # returns early when the stream has ended
    await collecting


async def answer(send: Send, texts: AsyncIterator[str]) -> None:
    index = 0
    async for text in texts:
        await _send(send, {"type": "delta", "index": index, "text": text})
        index += 1
    await _send(send, {"type": "done"})


async def _send(send: Send, frame: dict[str, Any]) -> None:
    await send({"type": "websocket.send", "text": orjson.dumps(frame).decode()})


async def serve(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    is_windowed = scope["path"] == "/windowed"
    await receive()  # the message websocket.connect
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        texts = tokens(orjson.loads(message["text"])["text"])
        await answer(send, windows(texts) if is_windowed else texts)


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await serve(scope, receive, send)
