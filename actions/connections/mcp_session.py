"""Exchanging messages with an external MCP server over streamable HTTP, through `supportbot.outbound`. In version
2026-07-28, each request is self-contained; earlier versions begin with a handshake. The server's version is detected
once and remembered by this process. Streams are read up to the awaited message, and never beyond the maximum size of a
response. The server's own requests and notifications are ignored, and so are responses with a different id.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from actions.connections.client import Call, Client, NoAnswer, NotSent
from actions.connections.decimal_json import from_json
from supportbot.ids import uuid7

VERSION: Final = "2026-07-28"
HANDSHAKE_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_META: Final = "io.modelcontextprotocol/"
_CLIENT: Final = {"name": "supportbot", "version": "1"}
_SESSION_ID: Final = re.compile(r"[!-~]{1,400}")
_CLOSING_SECONDS: Final = 1.0
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
# Statuses that say nothing about the version: another request would get the same response.
_CLOSED: Final = frozenset({401, 403, 429, *range(500, 600)})
_begins_with_handshake: dict[tuple[UUID, str], bool] = {}
_MAX_REMEMBERED: Final = 1_000
_END: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Result:
    value: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """The server returned a JSON-RPC error, or only an HTTP error status (`code` is then 0). `status` is the HTTP
    status.
    """

    status: int
    code: int
    message: str


def plain_json(raw: bytes) -> Any:
    """Parse JSON with the standard parser. Raises ValueError for anything that `from_json` refuses."""
    from_json(raw)
    return json.loads(raw)


@dataclass(slots=True)
class Session:
    """The messages of one call, within one deadline."""

    client: Client
    ends_at: float
    has_handshake: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[UUID, str]:
        return self.client.connection.pk, self.client.connection.base_url

    def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        headers: Mapping[str, str] = _NONE,
        parse: Callable[[bytes], Any] = from_json,
    ) -> Result | Refused:
        """Return the response to one request. Raises NotSent or NoAnswer, as for any call. `headers` repeat parts of
        the request, as the newest version of the protocol requires.
        """
        own = str(uuid7())
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": own, "method": method, "params": dict(params)}
        sent = dict(self.headers)
        if not self.has_handshake:
            about = {"protocolVersion": VERSION, "clientInfo": _CLIENT, "clientCapabilities": {}}
            message["params"]["_meta"] = {f"{_META}{name}": value for name, value in about.items()}
            sent |= {"Mcp-Protocol-Version": VERSION, "Mcp-Method": method, **headers}
        return self._answer(message, sent, parse)

    def notify(self, method: str) -> None:
        """Send a notification."""
        self.client.send_raw(self._call({"jsonrpc": "2.0", "method": method}, self.headers))

    def close(self) -> None:
        """End the session if the server keeps one; it does not matter whether that succeeds."""
        if "Mcp-Session-Id" in self.headers:
            end = Call("DELETE", "", headers=self.headers, timeout_seconds=_CLOSING_SECONDS)
            with suppress(NotSent, NoAnswer):
                self.client.send_raw(end)

    def _answer(
        self, message: Mapping[str, Any], headers: Mapping[str, str], parse: Callable[[bytes], Any]
    ) -> Result | Refused:
        own = message["id"]
        reader = MessageReader(own)
        answer = self.client.send_raw(self._call(message, headers), has_enough=reader.has_enough)
        found = _parsed(answer.body if reader.found is None else reader.found, parse)
        is_ours = isinstance(found, Mapping) and found.get("jsonrpc") == "2.0" and found.get("id") in (own, None)
        error = found.get("error") if is_ours else None
        if isinstance(error, Mapping) or answer.status >= 300:
            return _refused(answer.status, error)
        if not is_ours or found.get("id") != own or "result" not in found:
            raise NoAnswer(_("the MCP server returned an unexpected response"), status=answer.status)
        return Result(found["result"], answer.headers)

    def _call(self, message: Mapping[str, Any], headers: Mapping[str, str]) -> Call:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise NotSent(_("the call timed out before it could be sent"))
        accepted = {"Accept": "application/json, text/event-stream", **headers}
        return Call("POST", "", headers=accepted, body=message, timeout_seconds=left)


def opened(client: Client, seconds: float) -> Session:
    """Return a session that is ready for requests, in a version that the server supports; raises NotSent or
    NoAnswer.
    """
    session = Session(client, time.monotonic() + seconds)
    needs_handshake = _begins_with_handshake.get(session.place)
    if needs_handshake is None:
        needs_handshake = not _is_newest(session)
    if needs_handshake:
        session = _after_handshake(session)
    if len(_begins_with_handshake) >= _MAX_REMEMBERED:
        _begins_with_handshake.clear()
    _begins_with_handshake[session.place] = needs_handshake
    return session


def forget(session: Session) -> None:
    """Forget a server's version: the next session detects it again."""
    _begins_with_handshake.pop(session.place, None)


def _is_newest(session: Session) -> bool:
    answer = session.ask("server/discover", {})
    if isinstance(answer, Refused):
        if answer.status in _CLOSED:
            raise NotSent(_("the MCP server returned %(status)s") % {"status": answer.status})
        return False
    versions = answer.value.get("supportedVersions") if isinstance(answer.value, Mapping) else None
    return isinstance(versions, list) and VERSION in versions


def _after_handshake(session: Session) -> Session:
    session = replace(session, has_handshake=True)
    wanted = {"protocolVersion": HANDSHAKE_VERSIONS[0], "capabilities": {}, "clientInfo": _CLIENT}
    answer = session.ask("initialize", wanted)
    if isinstance(answer, Refused):
        raise NotSent(_("the MCP server refused the handshake: %(why)s") % {"why": answer.message})
    version = answer.value.get("protocolVersion") if isinstance(answer.value, Mapping) else None
    if version not in HANDSHAKE_VERSIONS:
        raise NotSent(_("the MCP server supports none of SupportBot's protocol versions"))
    session.headers["Mcp-Protocol-Version"] = version
    own = answer.headers.get("mcp-session-id", "")
    if _SESSION_ID.fullmatch(own):
        session.headers["Mcp-Session-Id"] = own
    with suppress(NoAnswer):
        session.notify("notifications/initialized")
    return session


def _parsed(raw: bytes, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(raw) if raw.strip() else None
    except ValueError:
        return None


def _refused(status: int, error: Any) -> Refused:
    if not isinstance(error, Mapping):
        return Refused(status, 0, _("it returned %(status)s") % {"status": status})
    code, message = error.get("code"), error.get("message")
    shown = "".join(sign for sign in message[:200] if sign.isprintable()) if isinstance(message, str) else ""
    return Refused(status, code if isinstance(code, int) else 0, shown)


class MessageReader:
    """A collector for the pieces of a body; `found` is the raw response to the request with this id. Everything else in
    an event stream (notifications, requests, other responses) is skipped, and at most one event is buffered. In any
    other kind of body, nothing is found.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._line = bytearray()
        self._data: list[bytes] = []
        self.found: bytes | None = None

    def has_enough(self, piece: bytes) -> bool:
        """Take the next piece; return whether the response has been found."""
        *ended, rest = piece.split(_END)
        for part in ended:
            self._line += part
            self._take(bytes(self._line.rstrip(b"\r")))
            self._line.clear()
            if self.found is not None:
                return True
        self._line += rest
        return False

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            if self._own.encode() in event and self._is_answer(event):
                self.found = event

    def _is_answer(self, event: bytes) -> bool:
        try:
            message = json.loads(event)
        except (ValueError, RecursionError):
            return False
        return isinstance(message, dict) and message.get("id") == self._own and "method" not in message
