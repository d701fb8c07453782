"""A slow network and a slow processor, on request, to find tests that take something for granted too early.

`SLOW_PAGES=0.7` delays every request of a page, and every frame of its sockets, by this many seconds. A proxy does
this, so routes, downloads and service workers work as usual; a scripted platform delays what it sends with `later`.
`SLOW_SCRIPTS=6` makes scripts take six times as long.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from greenlet import greenlet
from playwright.sync_api import Page

PAGES_SECONDS: Final = float(os.environ.get("SLOW_PAGES", "0"))
SCRIPTS_RATE: Final = float(os.environ.get("SLOW_SCRIPTS", "1"))
CHUNK_BYTES: Final = 65_536


def later(act: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Make a call after the delay of a slow network, in the order of the calls, or at once on a fast one."""
    if not PAGES_SECONDS:
        act(*arguments, **options)
        return
    # Playwright's blocking calls need a greenlet to return to.
    asyncio.get_running_loop().call_later(PAGES_SECONDS, lambda: greenlet(act).switch(*arguments, **options))


def slow_down(page: Page) -> None:
    """Slow down the page's scripts if requested."""
    if SCRIPTS_RATE > 1:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SCRIPTS_RATE})


@contextmanager
def slow_network() -> Iterator[dict[str, Any]]:
    """Yield the browser's launch options for a slow network; none for a fast one."""
    if not PAGES_SECONDS:
        yield {}
        return
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield {"proxy": {"server": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}}
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass one request, or a socket's connection, to its server and back."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        await asyncio.sleep(PAGES_SECONDS)
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            theirs, ours = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            delay = PAGES_SECONDS
        else:
            address = urlsplit(target.decode())
            theirs, ours = await asyncio.open_connection(address.hostname, address.port or 80)
            ours.write(_for_one_answer(head, target, address.netloc.encode()))
            delay = 0.0
        await asyncio.gather(_carry(reader, ours, delay), _carry(theirs, writer, delay))
    except (OSError, asyncio.IncompleteReadError):
        pass  # one side has disconnected
    finally:
        writer.close()


def _for_one_answer(head: bytes, target: bytes, place: bytes) -> bytes:
    """Return a proxy's request in the form for a server, with a header that ends the connection after the answer."""
    first, *lines = head.replace(target, target.partition(place)[2] or b"/", 1).split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"proxy-connection:"))]
    return b"\r\n".join([first, b"Connection: close", *kept])


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float) -> None:
    try:
        while data := await source.read(CHUNK_BYTES):
            await asyncio.sleep(delay)
            target.write(data)
            await target.drain()
    finally:
        target.close()
