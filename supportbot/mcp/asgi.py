"""`/mcp/` as an ASGI application: the gate, followed by the SDK's server, which starts with the first accepted call."""

import asyncio
from importlib import import_module
from typing import Any

from supportbot.mcp.request_checks import Gate, Receive, Send


class Hosted:
    """The SDK's session manager, which runs in a separate task until `stop` is called.

    It is stateless and has no sessions.
    """

    def __init__(self) -> None:
        self._starting: asyncio.Lock | None = None
        self._manager: Any = None  # from the SDK, which is not imported yet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Event | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        manager = await self._running()
        await manager.handle_request(scope, receive, send)

    async def stop(self) -> None:
        """End the manager and its work. Does nothing if it was never started."""
        if self._task is not None and self._ending is not None:
            self._ending.set()
            await self._task
            self._task = self._manager = None

    async def _running(self) -> Any:
        if self._loop is not asyncio.get_running_loop():
            self._loop, self._starting, self._manager = asyncio.get_running_loop(), asyncio.Lock(), None
        assert self._starting is not None
        async with self._starting:
            if self._manager is None:
                await self._start()
        return self._manager

    async def _start(self) -> None:
        server = await asyncio.to_thread(import_module, "supportbot.mcp.server")
        manager, started, self._ending = server.session_manager(), asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(_keep(manager, started, self._ending), name="mcp")
        await started.wait()
        self._manager = manager


async def _keep(manager: Any, started: asyncio.Event, ending: asyncio.Event) -> None:
    """Enter and leave the manager in the same task, as its cancel scopes require."""
    async with manager.run():
        started.set()
        await ending.wait()


hosted = Hosted()
application = Gate(hosted)
