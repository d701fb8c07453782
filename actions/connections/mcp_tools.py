"""Tools of an external MCP server over a connection: listing them, and calling one as it was reviewed.

The connection's address is the server's own. The SDK is not used, because it would open its own sockets: all messages
go through `supportbot.outbound`, and the few that are needed are in `mcp_session`. The server is not trusted. Right
before a call, the server must list the tool exactly as it was reviewed; any failure up to then is `NotSent`.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from actions.connections.client import Call, Client, NoAnswer, NotSent, Response
from actions.connections.mcp_session import Refused, Result, Session, forget, opened, plain_json
from actions.connections.tool_fingerprints import fingerprint

MAX_PAGES: Final = 20
MAX_TOOLS: Final = 500
MAX_MIRRORED: Final = 20
LIST_SECONDS: Final = 15.0
# Error codes of JSON-RPC: the request was not understood, so nothing was done.
_NOT_UNDERSTOOD: Final = frozenset({-32700, -32600, -32601, -32602})


class ToolChanged(NotSent):
    """The tool is gone or has changed since it was reviewed. It was not called."""


@dataclass(frozen=True, slots=True)
class ToolClient:
    """A connection's client that also calls tools. `on_change` is called with the fingerprint of a changed tool."""

    client: Client
    on_change: Callable[[str], None] = lambda schema_hash: None

    def send(self, call: Call) -> Response:
        """Send an HTTP or tool call and return the response; raises NotSent or NoAnswer. A tool's result is a response
        with status 200. A protocol error has `isError` and `error`, with status 400 if the server did not understand
        the request; a tool that asks for input before it runs has status 501.
        """
        if not call.tool:
            return self.client.send(call)
        with _before_the_call():
            session = opened(self.client, call.timeout_seconds)
        try:
            tool = self._reviewed(session, call)
            arguments = call.body or {}
            headers = {"Mcp-Name": call.tool, **_mirrored(tool, arguments)}
            return _response(session.ask("tools/call", {"name": call.tool, "arguments": arguments}, headers=headers))
        finally:
            session.close()

    def _reviewed(self, session: Session, call: Call) -> Mapping[str, Any]:
        """Return the tool as the server lists it now; raises ToolChanged."""
        with _before_the_call():
            tools = [one for one in _all_tools(session) if isinstance(one, Mapping) and one.get("name") == call.tool]
        if len(tools) != 1 or _fingerprint(tools[0]) != call.schema_hash:
            self.on_change(call.schema_hash)
            raise ToolChanged(_("the tool %(tool)s has changed since it was reviewed") % {"tool": call.tool})
        return tools[0]


def list_tools(client: Client) -> dict[str, Any]:
    """Return a server's tools as the result of one `tools/list`; raises NotSent if the list is unavailable."""
    with _before_the_call():
        session = opened(client, LIST_SECONDS)
        try:
            return {"tools": _all_tools(session)}
        finally:
            session.close()


@contextmanager
def _before_the_call() -> Iterator[None]:
    """Turn an unclear outcome into NotSent, since no tool has been called yet."""
    try:
        yield
    except NoAnswer as error:
        raise NotSent(error.why) from error


def _all_tools(session: Session) -> list[Any]:
    """Return the tools of all pages; raises NotSent if they are not a list or too many, or if the pages do not end."""
    tools: list[Any] = []
    params: dict[str, Any] = {}
    for _page in range(MAX_PAGES):
        answer = session.ask("tools/list", params, parse=plain_json)
        if isinstance(answer, Refused):
            forget(session)  # the server may use a different version by now
            raise NotSent(_("the MCP server does not list its tools: %(why)s") % {"why": answer.message})
        found = answer.value.get("tools") if isinstance(answer.value, Mapping) else None
        if not isinstance(found, list):
            raise NotSent(_("the MCP server's response contains no tool list"))
        tools += found
        cursor = answer.value.get("nextCursor")
        if not (isinstance(cursor, str) and cursor):
            return tools
        if len(tools) > MAX_TOOLS:
            break
        params = {"cursor": cursor}
    raise NotSent(_("the MCP server's list of tools is too long"))


def _fingerprint(tool: Mapping[str, Any]) -> str:
    try:
        return fingerprint(tool)
    except RecursionError:
        return ""


def _response(answer: Result | Refused) -> Response:
    if isinstance(answer, Refused):
        status = 400 if answer.code in _NOT_UNDERSTOOD else max(answer.status, 500)
        return Response(status, {}, {"isError": True, "error": {"code": answer.code, "message": answer.message}})
    if not isinstance(answer.value, Mapping):
        raise NoAnswer(_("the MCP server returned an unexpected response"), status=200)
    if answer.value.get("resultType", "complete") != "complete":
        return Response(501, {}, {**answer.value, "isError": True})
    return Response(200, answer.headers, dict(answer.value))


def _mirrored(tool: Mapping[str, Any], arguments: Any) -> dict[str, str]:
    """Return the headers that repeat arguments, as the tool's schema asks (`x-mcp-header`)."""
    found = dict(_marked(tool.get("inputSchema"), arguments, depth=4))
    return dict(list(found.items())[:MAX_MIRRORED])


def _marked(schema: Any, value: Any, *, depth: int) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not (isinstance(properties, Mapping) and isinstance(value, Mapping) and depth):
        return
    for name, one in properties.items():
        mark = one.get("x-mcp-header") if isinstance(one, Mapping) else None
        own = value.get(name)
        if isinstance(mark, str) and isinstance(own, str | int):
            yield f"Mcp-Param-{mark}", _header_value(own)
        yield from _marked(one, own, depth=depth - 1)


def _header_value(value: str | int) -> str:
    """Return a value in the protocol's header encoding."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    is_plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?base64?")
    return text if is_plain else f"=?base64?{b64encode(text.encode()).decode()}?="
