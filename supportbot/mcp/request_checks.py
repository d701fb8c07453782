"""Checks a request before the protocol sees it: host, origin, method, key, rate and size of the body.

A refusal here costs at most one query. Responses are JSON-RPC errors, with an HTTP status that says the same to
programs that do not know JSON-RPC.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from rest_framework.settings import api_settings

from supportbot import strict_json
from supportbot.accounts.errors import InvalidKey
from supportbot.accounts.origins import own_origins, read_origin
from supportbot.async_db import db
from supportbot.errors import SupportBotError
from supportbot.mcp.callers import Agent, agent_by_key
from supportbot.mcp.errors import (
    BodyTooLong,
    BodyTooSlow,
    ForeignPage,
    NoKey,
    PostOnly,
    TooManyCalls,
    UnknownHost,
    UnreadableBody,
    UnusableRequest,
)
from supportbot.rate_counters import count

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Server = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY_BYTES: Final = 128 * 1024
BODY_SECONDS: Final = 15.0
UNKNOWN_CALLERS_PER_MINUTE: Final = 60  # per IP address
AGENT: Final = "supportbot.agent"  # the key of the caller in the ASGI scope
# JSON-RPC's code for an unreadable body; all other errors get a code from the range reserved for servers.
PARSE_ERROR, SERVER_ERROR = -32700, -32000


class Gate:
    """An ASGI application that answers refused requests itself, and passes all others on to the protocol's server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            headers = _headers(scope)
            _check_sender(scope["method"], headers)
            agent = await db(_agent_of, headers, _address_of(scope, headers))
            body = await _read_body(receive, headers)
            _check_json(body)
        except SupportBotError as refusal:
            await _answer(refusal, send)
        else:
            await self._server({**scope, AGENT: agent}, _replay(body, receive), send)


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers by their lower-case names. Headers with the same name are joined, as in HTTP."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _check_sender(method: str, headers: Mapping[str, str]) -> None:
    """Raise an error for requests that no server-side program sends: to an unknown host, from another site's page, or
    for a stream.
    """
    domain, _ = split_domain_port(headers.get("host", ""))
    if not (domain and validate_host(domain, settings.ALLOWED_HOSTS)):
        raise UnknownHost()
    if "origin" in headers and read_origin(headers["origin"]) not in own_origins():
        raise ForeignPage()
    if method != "POST":
        raise PostOnly()


def _agent_of(headers: Mapping[str, str], address: str) -> Agent:
    """Return the calling program, and count the call. Raises NoKey, InvalidKey, ScopeMissing or TooManyCalls."""
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not credential.strip().startswith("sk_"):
            raise NoKey()
        agent = agent_by_key(credential.strip())
    except (NoKey, InvalidKey):
        if count(f"mcp-unknown:{address}", seconds=60) > UNKNOWN_CALLERS_PER_MINUTE:
            raise TooManyCalls("Too many calls without a valid API key. Wait a minute.") from None
        raise
    if count(f"mcp-calls:{agent.key_id}", seconds=60) > settings.MCP_CALLS_PER_MINUTE:
        raise TooManyCalls()
    return agent


def _address_of(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return the caller's IP address, as stated by the NUM_PROXIES trusted proxies."""
    own = (scope.get("client") or ("",))[0]
    proxies = api_settings.NUM_PROXIES or 0
    named = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
    return named[-min(proxies, len(named))] if proxies and named else str(own)


async def _read_body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """Return the whole body. Raises BodyTooSlow, or BodyTooLong without reading the rest."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > MAX_BODY_BYTES:
        raise BodyTooLong()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise BodyTooLong()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise BodyTooSlow() from error


def _check_json(body: bytes) -> None:
    """Raise UnreadableBody if the JSON is invalid, ambiguous or nested too deeply.

    The protocol's server parses it again.
    """
    try:
        strict_json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise UnreadableBody("The body is not UTF-8.") from error
    except strict_json.BadJson as error:
        raise UnreadableBody(str(error)) from error


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` function that first delivers the body, then everything after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replay


async def _answer(refusal: SupportBotError, send: Send) -> None:
    code = PARSE_ERROR if isinstance(refusal, UnreadableBody) else SERVER_ERROR
    error = {"code": code, "message": refusal.message, "data": {"code": refusal.code}}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    more = refusal.headers if isinstance(refusal, UnusableRequest) else {}
    if refusal.status == 401:
        more = {"WWW-Authenticate": "Bearer", **more}
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **more,
    }
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
