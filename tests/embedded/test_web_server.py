"""A web process that ends closes its sockets one after another, so that chats do not all reconnect at once."""

import asyncio
from typing import Any

import pytest
import uvicorn

from supportbot.embedded import separate_processes
from supportbot.embedded.separate_processes import BETWEEN_SECONDS, SPREAD_SECONDS, WebServer


class Connection:
    def __init__(self, server: uvicorn.Server, told: list[Any]) -> None:
        self.server, self.told = server, told

    def shutdown(self) -> None:
        self.told.append(self)
        self.server.server_state.connections.discard(self)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "pause"), [(30, BETWEEN_SECONDS), (400, SPREAD_SECONDS / 400)])
async def test_sockets_are_closed_one_after_another(count: int, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    server = WebServer(uvicorn.Config("tests.embedded.test_separate_processes:application", lifespan="off"))
    server.servers = []
    told: list[Any] = []
    connections = [Connection(server, told) for _ in range(count)]
    server.server_state.connections.update(connections)  # type: ignore[arg-type]

    async def note(seconds: float) -> None:
        told.append(seconds)

    monkeypatch.setattr(separate_processes.asyncio, "sleep", note)
    monkeypatch.setattr(uvicorn.Server, "shutdown", _nothing)
    await server.shutdown()
    assert set(told[::2]) == set(connections) and told[::2] != connections
    assert told[1::2] == [pause] * count


async def _nothing(server: uvicorn.Server, sockets: Any = None) -> None:
    assert isinstance(server, uvicorn.Server) and asyncio.get_running_loop()
