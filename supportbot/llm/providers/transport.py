"""Requests to model servers over aiohttp, with a pause between reads of an answer's body.

During a pause, incoming data stays in the socket, and is then read all at once. Without pauses, each token would wake
the event loop, which takes most of the reading time.

A paused socket counts as readable only when much data has arrived. If the event loop stopped watching it instead, it
would still be woken by the next token, only to learn that nobody is reading.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import aiohttp
import httpx2

MAX_CONNECTIONS: Final = 1_000
KEEP_ALIVE_SECONDS: Final = 5.0
PAUSED_BYTES: Final = 32 * 1024  # more than arrives in a pause, unless the server is much faster than a model
BODY: Final = "supportbot.body"  # the body's name in the extensions of its response


class Body(httpx2.AsyncByteStream):
    """The body of one response. Each chunk is everything that has arrived by then. Raises aiohttp's errors."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._socket: socket.socket | None = None  # the connection's socket, after the first pause

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._response.content.readany():
            yield chunk

    async def rest(self, seconds: float) -> None:
        """Pause reading, leaving incoming data in the socket for a while."""
        connection = self._response.connection
        transport = connection.transport if connection is not None else None
        if transport is None or transport.is_closing():  # everything has arrived, or nothing more will
            return
        if self._socket is None:
            # With too many open files, every token wakes the event loop, but the answer goes on.
            with suppress(OSError):
                self._socket = transport.get_extra_info("socket").dup()  # uvloop would make a copy for each option
        connected = self._socket
        if connected is None:
            await asyncio.sleep(seconds)
            return
        _count_as_readable(connected, from_bytes=PAUSED_BYTES)
        try:
            await asyncio.sleep(seconds)
        finally:
            _count_as_readable(connected, from_bytes=1)

    async def aclose(self) -> None:
        self._response.release()  # closes the connection unless everything was read
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Transport(httpx2.AsyncBaseTransport):
    """A transport that belongs to the event loop that sends its first request. Raises httpx's ConnectError if there is
    no response.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._session is None:
            self._session = _new_session()
        try:
            response = await self._session.request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=_seconds_to_connect(request)),
                server_hostname=request.extensions.get("sni_hostname"),
            )
        except aiohttp.ClientConnectionError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        body = Body(response)
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=body, request=request, extensions={BODY: body}
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _count_as_readable(connected: socket.socket, *, from_bytes: int) -> None:
    """Make a socket count as readable only when it contains this many bytes or the peer has closed the connection."""
    with suppress(OSError):  # macOS refuses this for a closed connection
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, from_bytes)


def _new_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=httpx2.create_ssl_context()
    )
    # httpx decodes the bodies and keeps the cookies.
    return aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())


def _seconds_to_connect(request: httpx2.Request) -> float | None:
    limits: dict[str, Any] = request.extensions.get("timeout", {})
    seconds: float | None = limits.get("connect")
    return seconds
