"""The gateway for synchronous callers: one event loop, in its own thread, that lives as long as the process.

A loop per call would open a new connection each time, because clients belong to their loop.
"""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

from supportbot.llm import gateway

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="llm-loop", daemon=True).start()
    return loop


_starting = threading.Lock()


def run(call: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in that loop and return its result. Context variables, including the workspace scope, are passed
    on.

    Never call this from a coroutine: it would block the caller's own loop.
    """
    with _starting:  # with `cache` alone, two threads could be started
        loop = _loop()
    return asyncio.run_coroutine_threadsafe(_recorded(call), loop).result()


async def _recorded(call: Coroutine[Any, Any, T]) -> T:
    """Await a call and have its record stored at once. No process drains this loop at its end, and a command may end
    right after its only call.
    """
    try:
        return await call
    finally:
        gateway.store_records()
