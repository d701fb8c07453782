"""The one HTTP client of this room: JSON to one known host, within one deadline.

The name is resolved once, every answer is checked, and the connection goes to the checked address, so a name that
changes its mind leads nowhere. Redirects are not followed, no proxy variable is read, the answer is capped while it is
read, and a watchdog ends what dribbles.
"""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from actions.connectors.addresses import is_public

MAX_ANSWER_BYTES: Final = 1024 * 1024
CONNECT_SECONDS: Final = 3.0
OPEN_PORTS: Final = frozenset({443, 8443})


class NotSent(Exception):
    """The request did not leave this machine: nothing can have happened."""


class NoAnswer(Exception):
    """The request was sent, or a part of it, and no usable answer came: anything can have happened.

    `status` is that of an answer which came but says nothing, 0 where none began: the call may still be under way.
    """

    def __init__(self, cause: str, *, status: int = 0) -> None:
        super().__init__(cause)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any  # parsed JSON


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place to connect to."""

    is_tls: bool
    host: str
    port: int
    address: str
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def exchange(method: str, url: str, *, body: bytes, headers: Mapping[str, str], deadline_seconds: float) -> Answer:
    """Send one request and return its JSON answer, whatever its status; raises NotSent or NoAnswer."""
    ends_at = time.monotonic() + deadline_seconds
    target = checked_target(url)
    connection = _connected(target, min(CONNECT_SECONDS, deadline_seconds))
    cut = threading.Timer(max(0.0, ends_at - time.monotonic()), _cut, args=[connection.sock])
    cut.daemon = True
    cut.start()
    try:
        return _read(_response(connection, method, target, body, headers))
    finally:
        cut.cancel()
        connection.close()


def _response(
    connection: http.client.HTTPConnection, method: str, target: Target, body: bytes, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Send the request; return once the answer's head is here."""
    try:
        connection.request(method, target.path, body or None, {"Host": target.host_header, **headers})
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(type(error).__name__) from error


def checked_target(url: str) -> Target:
    """Return where a URL leads; raises NotSent for a scheme, port or address that is not allowed."""
    # urlsplit drops tabs and line ends in silence, and browsers take a backslash for a slash.
    if not url.isprintable() or " " in url or "\\" in url:
        raise NotSent("the address holds characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    except ValueError as error:
        raise NotSent("the address cannot be read") from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise NotSent("the address must be http(s) without a user name")
    is_own = f"{host}:{port}" in settings.ACTIONS_LOOPBACK
    if not is_own and (parts.scheme != "https" or port not in OPEN_PORTS):
        raise NotSent("the address must begin with https and use a port for the web")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port, _resolved(host, port, is_own=is_own), path or "/")


def _resolved(host: str, port: int, *, is_own: bool) -> str:
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise NotSent("the name cannot be resolved") from error
    # One private answer among public ones is a trap: all must be fit.
    if not found or (not is_own and not all(is_public(address) for address in found)):
        raise NotSent("the address does not lie in the public internet")
    return found[0]


def _connected(target: Target, seconds: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(target.host, target.port)
    try:
        plain = socket.create_connection((target.address, target.port), timeout=seconds)
        connection.sock = _tls(plain, target.host) if target.is_tls else plain
    except OSError as error:  # TLS errors are OSErrors too
        raise NotSent(f"no connection: {type(error).__name__}") from error
    connection.sock.settimeout(None)  # from here on the watchdog keeps the time
    return connection


def _tls(plain: socket.socket, host: str) -> socket.socket:
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed by the other side meanwhile
        return


def _read(response: http.client.HTTPResponse) -> Answer:
    kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or response.getheader("Content-Encoding"):
        raise NoAnswer(f"answered {response.status} without JSON", status=response.status)
    try:
        raw = response.read(MAX_ANSWER_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"answered {response.status} in part", status=response.status) from error
    if len(raw) > MAX_ANSWER_BYTES:
        raise NoAnswer("answered more than 1 MiB", status=response.status)
    try:
        return Answer(response.status, json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"answered {response.status} with broken JSON", status=response.status) from error
