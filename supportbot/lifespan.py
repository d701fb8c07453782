"""Start and stop of what a web process runs beside its requests: outbox relay, turn runner, model client."""

from collections.abc import Awaitable, Callable
from typing import Any

from supportbot.assistant.runner import runner
from supportbot.llm import gateway
from supportbot.outbox.relay import relay

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Speak the ASGI lifespan protocol: `startup` starts the parts, `shutdown` drains them."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            relay.start()
            runner.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await runner.stop()
            await gateway.close()
            relay.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
