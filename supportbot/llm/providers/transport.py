"""Requests to model servers over aiohttp, whose answers are read a few tokens at a time.

Between two reads, incoming data gathers in the socket. Otherwise, each token would wake the event loop, which takes
most of the reading time. For the same reason, answers are read at common times: one half of them together, and the
other half between these times, so that the end of an answer does not have to wait for the text of all others.

Meanwhile, a socket counts as readable only once it holds more than usually arrives between two reads: the end of an
answer, which comes as several events at once, is read early. If the event loop stopped watching the socket instead, it
would still be woken by the next token, only to learn that nobody is reading.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any, Final

import aiohttp
import httpx2

MAX_CONNECTIONS: Final = 1_000
KEEP_ALIVE_SECONDS: Final = 5.0
# Readers get a frame at this interval. Each read passes through a dozen generators, the checks and a socket, which
# costs more than its tokens.
READ_EVERY_SECONDS: Final = 0.07
_LEAST_SECONDS: Final = READ_EVERY_SECONDS / 4  # the shortest time between a read and the common time of the next read
_MOST_SECONDS: Final = READ_EVERY_SECONDS * 3  # the longest time that counts between two reads; the rest is silence
_GROUPS: Final = 2  # the number of groups of answers that are read together
_MORE_THAN_USUAL: Final = 1.25  # times the usual data
MOST_BYTES: Final = 32 * 1024  # more than accumulates, unless the server is much faster than a model
BODY: Final = "supportbot.body"  # the body's name in the extensions of its response


class Body(httpx2.AsyncByteStream):
    """The body of one response. Each chunk is everything that has arrived by then. Raises aiohttp's errors."""

    def __init__(self, response: aiohttp.ClientResponse, times: "ReadingTimes") -> None:
        self._response = response
        self._times = times
        self._socket: socket.socket | None = None  # a copy of the connection's socket, once data has gathered in it
        self._bytes = 0  # the bytes read since data first gathered, and in the read before that
        self._seconds = 0.0  # the time in which they arrived, without most of each silence
        self._gathered_at: float | None = None  # when data last began to gather, on the loop's clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._response.content.readany():
            self._stop_gathering()
            self._bytes = len(chunk) + (0 if self._gathered_at is None else self._bytes)
            yield chunk

    def gather(self) -> None:
        """Let data gather in the socket: the next read waits for the next common time, unless more data than usual
        arrives before that, or the server closes the connection.
        """
        connection = self._response.connection
        transport = connection.transport if connection is not None else None
        if transport is None or transport.is_closing():  # everything has arrived, or nothing more will
            return
        if self._socket is None:
            # With too many open files, every token wakes the event loop, but the answer goes on.
            with suppress(OSError):
                self._socket = transport.get_extra_info("socket").dup()  # uvloop would make a copy for each option
        if self._socket is not None:
            self.count_as_readable(from_bytes=self._more_than_usual())
            self._times.add(self)

    def _more_than_usual(self) -> int:
        """Return how many bytes are more than usually arrives between two common times.

        A model may think before its first word or between two words. If silence counted in full, every token after it
        would be more than usual and wake the event loop.
        """
        now = asyncio.get_running_loop().time()
        if self._gathered_at is not None:
            self._seconds += min(now - self._gathered_at, _MOST_SECONDS)
        self._gathered_at = now
        usual = self._bytes * READ_EVERY_SECONDS / max(self._seconds, 0.001)
        return max(min(int(usual * _MORE_THAN_USUAL), MOST_BYTES), 1)

    def count_as_readable(self, *, from_bytes: int = 1) -> None:
        """Make the socket count as readable only when it contains this many bytes or the peer has closed the
        connection.
        """
        if self._socket is not None:
            with suppress(OSError):  # macOS refuses this for a closed connection
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, from_bytes)

    def _stop_gathering(self) -> None:
        if self._times.discard(self):
            self.count_as_readable()

    async def aclose(self) -> None:
        self._stop_gathering()  # the connection may be used again
        self._response.release()  # closes the connection unless everything was read
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class ReadingTimes:
    """The common times when a group of answers is read. Answers that are read together wake the event loop only once.
    The phase is the number of seconds between the first group's common times and those of this group.
    """

    def __init__(self, phase: float = 0.0) -> None:
        self._phase = phase
        self._gathering: dict[Body, float] = {}  # the earliest time to read each body, on the loop's clock
        self._timer: asyncio.TimerHandle | None = None  # only while data gathers

    def add(self, body: Body) -> None:
        """Let a body be read at the next common time."""
        loop = asyncio.get_running_loop()
        self._gathering[body] = loop.time() + _LEAST_SECONDS
        if self._timer is None:
            self._set_timer(loop)

    def discard(self, body: Body) -> bool:
        """Return whether the body was waiting for a common time. It no longer is."""
        return self._gathering.pop(body, None) is not None

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        # uvloop's clock has whole milliseconds, and a division may put a common time into the interval before it.
        # Without an earliest time, the timer would be set to the present again and again until the millisecond ends.
        earliest = loop.time() + _LEAST_SECONDS - self._phase
        common = (earliest // READ_EVERY_SECONDS + 1) * READ_EVERY_SECONDS
        self._timer = loop.call_at(common + self._phase, self._read, loop)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for body in [body for body, earliest in self._gathering.items() if earliest <= now]:
            del self._gathering[body]  # its socket counts as readable from now on, even if the server is silent
            body.count_as_readable()
        if self._gathering:
            self._set_timer(loop)


def reading_times() -> Iterator[ReadingTimes]:
    """Yield the common times for one answer after another, so that all groups are equally large."""
    return cycle([ReadingTimes(phase=READ_EVERY_SECONDS * number / _GROUPS) for number in range(_GROUPS)])


class Transport(httpx2.AsyncBaseTransport):
    """A transport that belongs to the event loop that sends its first request. Raises httpx's ConnectError if there is
    no response.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._times = reading_times()

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
        body = Body(response, next(self._times))
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=body, request=request, extensions={BODY: body}
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


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
