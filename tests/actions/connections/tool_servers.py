"""External MCP servers: the official SDK's own, and one whose messages are scripted by a test."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer

from tests.actions.connections.fake_api import RecordedRequest, json_reply
from tests.actions.raw_server import reply
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

TOOL: dict[str, Any] = {
    "name": "create_return",
    "description": "Creates a return.",
    "inputSchema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
}


@contextmanager
def sdk_server(returns: list[str], *, is_stateless: bool) -> Iterator[str]:
    """Serve one tool with the official SDK, with sessions and streams unless `stateless`; yields the address."""
    server = MCPServer("warehouse")

    @server.tool()
    def create_return(order: str) -> dict[str, str]:
        """Creates a return."""
        returns.append(order)
        return {"id": f"RET-{len(returns)}", "order": order}

    port = reserved_port()
    app = server.streamable_http_app(stateless_http=is_stateless, json_response=is_stateless)
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not running.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        running.should_exit = True
        thread.join(PATIENCE_SECONDS)


def as_events(*messages: Any) -> bytes:
    return b"".join(b"event: message\ndata: " + json.dumps(one).encode() + b"\n\n" for one in messages)


@dataclass
class ScriptedMcpServer:
    """A server of the newest version. `results` has the answer to each method: a value, or a function of the message.

    `speaks` writes an answer as bytes; `calls` records the arguments of tool calls.
    """

    results: dict[str, Any] = field(default_factory=lambda: {"tools/list": {"tools": [TOOL]}})
    speaks: Callable[[dict[str, Any]], bytes] = json_reply
    calls: list[Any] = field(default_factory=list)
    heard: list[RecordedRequest] = field(default_factory=list)

    def __call__(self, asked: RecordedRequest) -> bytes:
        self.heard.append(asked)
        message = json.loads(asked.body)
        method = message["method"]
        if method == "tools/call":
            self.calls.append(message["params"]["arguments"])
        known = {"server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {}}, **self.results}
        if method not in known:
            return json_reply({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}})
        found = known[method](message) if callable(known[method]) else known[method]
        return (
            found if isinstance(found, bytes) else self.speaks({"jsonrpc": "2.0", "id": message["id"], "result": found})
        )


def streamed(message: dict[str, Any]) -> bytes:
    """Write an answer as a stream that begins with other messages."""
    news = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
    asks = {"jsonrpc": "2.0", "id": message["id"], "method": "ping"}
    body = b": ping\r\n\r\n" + as_events(news, asks, message)
    return reply("200 OK", body, kind="text/event-stream")
