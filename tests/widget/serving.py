"""The real server (uvicorn, on a port) in a thread, so that the test's changes signal its sockets without a broker.

It runs without a lifespan, so without the assistant; these tests write its events themselves.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import uvicorn

from supportbot.widget.socket import connection_registry
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port


class Served:
    """A running server."""

    def __init__(self, server: uvicorn.Server, address: str) -> None:
        self._server = server
        self.address = address

    def wait_until_idle(self) -> None:
        """Return once no socket or request is being served, so that no lock is left on rows a test cleans up."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._server.server_state.tasks:
            assert time.monotonic() < deadline, "a socket is still being served"
            time.sleep(0.01)


def check_sockets(monkeypatch: pytest.MonkeyPatch, *, every_seconds: float) -> None:
    """Set the interval of the periodic check until the end of the test.

    The server outlives a test, and a check that has started keeps its test's interval, so this sets a new registry.
    """
    monkeypatch.setattr(connection_registry, "CHECK_SECONDS", every_seconds)
    monkeypatch.setattr(connection_registry, "_registries", WeakKeyDictionary())


@contextmanager
def served(**options: Any) -> Iterator[Served]:
    """Serve the application as `manage.py up` does, except for the options."""
    port = reserved_port()
    config = uvicorn.Config(
        "supportbot.asgi:application",
        port=port,
        lifespan="off",
        ws_max_size=262_144,
        log_level="warning",
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield Served(server, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
