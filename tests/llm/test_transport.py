"""The body of an answer: data that arrives between the common reading times is read all at once."""

import asyncio
import errno
import select
import socket
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fcntl import ioctl
from functools import partial

import aiohttp
import httpx2
import pytest

from supportbot.llm.providers import transport
from supportbot.llm.providers.transport import BODY, MOST_BYTES, Body, Transport
from tests.patience import PATIENCE_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
SOON = 0.02
Write = Callable[[bytes], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Server:
    """A server that answers every request with the bytes that a test writes, and counts its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.url = ""
        self._writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server:
            yield self

    async def request(self) -> Write:
        """Wait for the next request; return how to write to it."""
        self._writer = await self._writers.get()
        return partial(self._write, self._writer)

    def cut(self) -> None:
        self._writer.close()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(SOON)  # until the data has arrived

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await reader.readline():
            while await reader.readline() not in (b"\r\n", b""):
                pass
            await self._writers.put(writer)


@asynccontextmanager
async def answering(server: Server, client: httpx2.AsyncClient) -> AsyncIterator[tuple[Body, Write]]:
    """Send a request and yield the body of its answer, which has begun with "one"."""
    sending = asyncio.create_task(client.send(client.build_request("GET", server.url), stream=True))
    write = await server.request()
    await write(HEAD + chunk(b"one"))
    response = await sending
    yield response.extensions[BODY], write
    await response.aclose()


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[Server, Body, AsyncIterator[bytes], Write]]:
    """Yield a server, the body of its answer, the chunks after the first one, and how to write more."""
    async with (
        Server().running() as server,
        httpx2.AsyncClient(transport=Transport()) as client,
        answering(server, client) as (body, write),
    ):
        chunks = aiter(body)
        assert await anext(chunks) == b"one"
        yield server, body, chunks, write


def connected_socket(body: Body) -> socket.socket:
    """Return a copy of the socket from which a body is read."""
    connection = body._response.connection
    assert connection is not None and connection.transport is not None
    copy: socket.socket = connection.transport.get_extra_info("socket").dup()
    return copy


def readable_from(connected: socket.socket) -> int:
    """Return how many bytes a socket must hold to count as readable."""
    return connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


def gather_with_little_usual(body: Body) -> None:
    """Let data gather as if "one" were all that usually arrives between two reads."""
    body._seconds = transport.READ_EVERY_SECONDS
    body.gather()


async def until_arrived(connected: socket.socket, data: bytes) -> None:
    """Return once this much data can be read."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while int.from_bytes(ioctl(connected, termios.FIONREAD, bytes(4)), sys.byteorder) < len(data):  # noqa: ASYNC110  # no event is set
            await asyncio.sleep(SOON)


@pytest.fixture
def come(monkeypatch: pytest.MonkeyPatch) -> Callable[[Body], None]:
    """Make the common reading time come only when a test calls this, however long the test takes until then."""
    monkeypatch.setattr(transport, "READ_EVERY_SECONDS", 3600.0)
    monkeypatch.setattr(transport, "_LEAST_SECONDS", 0.0)
    return lambda body: body._times._read(asyncio.get_running_loop())


async def test_data_that_gathers_is_one_chunk(come: Callable[[Body], None]) -> None:
    sent = [chunk(word) for word in (b"two", b"three", b"four")]
    async with reading() as (_, body, chunks, write):
        body.gather()
        next_read = asyncio.ensure_future(anext(chunks))
        with connected_socket(body) as connected:
            for data in sent:
                await write(data)
            await until_arrived(connected, b"".join(sent))
        assert not next_read.done()
        assert body._response.content.total_bytes == len(b"one")  # the rest is still in the socket
        come(body)
        assert await next_read == b"twothreefour"
        await write(END)
        assert [more async for more in chunks] == []


async def test_data_that_gathers_does_not_wake_the_event_loop(come: Callable[[Body], None]) -> None:
    async with reading() as (_, body, _, write):
        body.gather()
        with connected_socket(body) as connected:
            await write(chunk(b"two"))
            await until_arrived(connected, chunk(b"two"))
            assert connected.recv(100, socket.MSG_PEEK) == chunk(b"two")
            assert not select.select([connected], [], [], 0)[0], "no event loop would be woken"
            come(body)
            assert select.select([connected], [], [], 0)[0] == [connected]


async def test_more_data_than_usual_is_read_early(come: Callable[[Body], None]) -> None:
    """The last events of an answer come at once, and a reader should not wait for its end."""
    async with reading() as (_, body, chunks, write):
        gather_with_little_usual(body)
        await write(chunk(b"two and three"))
        assert await anext(chunks) == b"two and three"


async def test_a_socket_that_was_read_early_counts_as_readable_again(come: Callable[[Body], None]) -> None:
    async with reading() as (_, body, chunks, write):
        gather_with_little_usual(body)
        with connected_socket(body) as connected:
            assert readable_from(connected) > 1
            await write(chunk(b"two and three"))
            await anext(chunks)
            assert readable_from(connected) == 1
        assert not body._times._gathering


async def test_silence_and_thoughts_do_not_change_what_is_usual() -> None:
    """A model may think for long. If the silence counted in full, each token after it would wake the event loop."""
    async with reading() as (_, body, chunks, write):
        for data in (b"thought " * 1000, b"x" * 600):
            await write(chunk(data))
            assert await anext(chunks) == data
        body.gather()
        assert body._gathered_at is not None
        body._gathered_at -= 1000
        body.gather()
        with connected_socket(body) as connected:
            assert 600 / 4 <= readable_from(connected) <= 600 * 2


async def test_data_is_read_freely_if_it_does_not_gather(come: Callable[[Body], None]) -> None:
    async with reading() as (_, body, chunks, write):
        body.gather()
        come(body)
        for word in (b"two", b"three"):
            await write(chunk(word))
            assert await anext(chunks) == word


async def test_every_second_answer_is_read_at_the_same_time(come: Callable[[Body], None]) -> None:
    async with (
        Server().running() as server,
        httpx2.AsyncClient(transport=Transport()) as client,
        answering(server, client) as first,
        answering(server, client) as second,
        answering(server, client) as third,
    ):
        next_reads = []
        for body, write in (first, second, third):
            chunks = aiter(body)
            await anext(chunks)
            body.gather()
            next_reads.append(asyncio.ensure_future(anext(chunks)))
            await write(chunk(b"two"))
        assert not any(read.done() for read in next_reads)
        come(first[0])
        assert await asyncio.gather(next_reads[0], next_reads[2]) == [b"two", b"two"]
        assert not next_reads[1].done()
        come(second[0])
        assert await next_reads[1] == b"two"


async def test_an_answer_goes_on_if_no_more_files_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data needs a copy of the connection's socket to gather; without one, tokens wake the event loop."""

    def refuse(_: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with reading() as (_, body, chunks, write):
        monkeypatch.setattr(socket.socket, "dup", refuse)
        body.gather()
        await write(chunk(b"two") + END)
        assert [more async for more in chunks] == [b"two"]


async def test_much_data_is_read_early(come: Callable[[Body], None]) -> None:
    async with reading() as (_, body, chunks, write):
        body.gather()
        much = b"x" * MOST_BYTES * 40  # more than the sockets hold
        writing = asyncio.ensure_future(write(chunk(much) + END))
        assert b"".join([more async for more in chunks]) == much
        await writing


async def test_the_connection_of_an_answer_that_gathered_may_be_used_again() -> None:
    async with Server().running() as server, httpx2.AsyncClient(transport=Transport()) as client:
        for _ in range(2):
            async with answering(server, client) as (body, write):
                chunks = aiter(body)
                await anext(chunks)
                body.gather()
                await write(chunk(b"two") + END)
                assert [more async for more in chunks] == [b"two"]
    assert server.connections == 1


async def test_the_connection_of_an_answer_that_nobody_read_to_its_end_may_be_used_again(
    come: Callable[[Body], None],
) -> None:
    """A reader may be cancelled after the end has arrived: the next answer must not wait for more data than its own."""
    async with Server().running() as server, httpx2.AsyncClient(transport=Transport()) as client:
        async with answering(server, client) as (body, write):
            await anext(aiter(body))
            gather_with_little_usual(body)
            connected = connected_socket(body)
            await write(chunk(b"two and three") + END)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not body._response.content.is_eof():  # noqa: ASYNC110  # no event is set
                    await asyncio.sleep(SOON)
            assert readable_from(connected) > 1
        with connected:
            assert readable_from(connected) == 1
        assert not body._times._gathering
        async with answering(server, client) as (body, write):
            await write(END)
            assert [more async for more in body] == [b"one"]
    assert server.connections == 1


async def test_a_connection_whose_answer_has_ended_is_used_again() -> None:
    async with Server().running() as server, httpx2.AsyncClient(transport=Transport()) as client:
        for _ in range(2):
            async with answering(server, client) as (body, write):
                await write(END)
                body.gather()  # there is nothing left to wait for
                assert [more async for more in body] == [b"one"]
    assert server.connections == 1


async def test_an_answer_cut_off_while_data_gathers_ends_with_an_error(come: Callable[[Body], None]) -> None:
    async with reading() as (server, body, chunks, _write):
        body.gather()
        server.cut()
        with pytest.raises(aiohttp.ClientPayloadError):
            await anext(chunks)


async def test_leaving_while_data_gathers_closes_the_connection(come: Callable[[Body], None]) -> None:
    async with Server().running() as server, httpx2.AsyncClient(transport=Transport()) as client:
        async with answering(server, client) as (body, _write):
            connection = body._response.connection
            assert connection is not None and connection.transport is not None
            socket = connection.transport
            chunks = aiter(body)
            await anext(chunks)
            body.gather()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SOON):
                    await anext(chunks)
        assert socket.is_closing()


async def test_calling_an_unreachable_server_raises_a_connection_error(unused_tcp_port: int) -> None:
    async with httpx2.AsyncClient(transport=Transport()) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"http://127.0.0.1:{unused_tcp_port}/")
