"""An external agent: the official SDK's client, in any protocol version, against a running server."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitRequestURLParams, ElicitResult, Tool

from supportbot.accounts.channels import NewChannel
from tests.patience import PATIENCE_SECONDS
from tests.rest import identity_token

META = "supportbot/identity"
# The server speaks HTTP. Without this, each client would load all certificate authorities: 17 ms, longer than a call.
NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def token_of(channel: NewChannel, subject: str = "cus_alice", **claims: Any) -> str:
    return identity_token(channel.channel.key, channel.identity_secret, subject, **claims)


@dataclass
class ForeignAgent:
    """An agent. `opens` plays its user when a tool requests a page; without it, the client cannot open pages."""

    base: str
    key: str
    mode: str = "auto"
    headers: dict[str, str] = field(default_factory=dict)
    opens: Callable[[str], str] | None = None

    def tools(self) -> dict[str, Tool]:
        async def listed(client: Client) -> list[Tool]:
            return list((await client.list_tools()).tools)

        return {tool.name: tool for tool in self.talk(listed)}

    def call(self, name: str, arguments: dict[str, Any] | None = None, *, token: str = "") -> CallToolResult:
        async def called(client: Client) -> CallToolResult:
            meta: Any = {META: token} if token else None
            return await client.call_tool(name, arguments or {}, meta=meta)

        return self.talk(called)

    def version(self) -> str:
        async def spoken(client: Client) -> str:
            return str(client.protocol_version)

        return self.talk(spoken)

    def talk(self, said: Callable[[Client], Awaitable[Any]]) -> Any:
        # In a thread, since a browser test runs its own loop in this one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, self._talk(said)).result()

    async def _talk(self, said: Callable[[Client], Awaitable[Any]]) -> Any:
        async def elicited(_: Any, asked: Any) -> ElicitResult:
            assert isinstance(asked, ElicitRequestURLParams) and self.opens is not None
            return ElicitResult(action=await asyncio.to_thread(self.opens, asked.url))  # type: ignore[arg-type]

        headers = {"Authorization": f"Bearer {self.key}", **self.headers}
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_SECONDS, verify=NO_AUTHORITIES) as http:
            transport = streamable_http_client(f"{self.base}/mcp/", http_client=http)
            callback = elicited if self.opens else None
            async with Client(transport, mode=self.mode, elicitation_callback=callback) as client:  # type: ignore[arg-type]
                return await said(client)


def post(base: str, body: bytes | dict[str, Any], **headers: str) -> httpx2.Response:
    """Send one message without the SDK, as an attacker would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}
    return httpx2.post(f"{base}/mcp/", content=raw, headers=sent, timeout=PATIENCE_SECONDS, verify=NO_AUTHORITIES)


class ConfirmationPage:
    """The confirmation page's script, over HTTP: it opens the link once, then decides."""

    def __init__(self, base: str, url: str) -> None:
        parts = urlsplit(url)
        self._base, self._path = base, parts.path
        self.code = parts.fragment.removeprefix("code=")
        self.shown: dict[str, Any] = {}

    def open(self) -> "ConfirmationPage":
        self.shown = self.posted("open", {"code": self.code}).raise_for_status().json()
        return self

    def confirm(self) -> dict[str, Any]:
        return self._decided("confirm", {"digest": self.shown["digest"]})

    def decline(self) -> dict[str, Any]:
        return self._decided("decline", {})

    def state(self) -> dict[str, Any]:
        return self._decided("state", {})

    def posted(self, step: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
        from supportbot.accounts.origins import own_origins

        sent = {"Origin": min(own_origins()), **headers}
        return httpx2.post(
            f"{self._base}{self._path}{step}", json=body, headers=sent, timeout=PATIENCE_SECONDS, verify=NO_AUTHORITIES
        )

    def _decided(self, step: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.posted(step, {"token": self.shown["token"], **body}).raise_for_status().json()
        return answer
