"""The one HTTP client of this room: JSON to one known host, within one deadline.

The name is resolved once, every answer is checked, and the connection goes to a checked address, so a name that
changes its mind leads nowhere. Redirects are not followed, no proxy variable is read, the answer is capped while it is
read, and a watchdog ends what dribbles, be it the handshake or the answer.
"""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
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
class Place:
    """Where a URL leads, before its name is resolved."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def is_for_the_web(self) -> bool:
        return self.is_tls and self.port in OPEN_PORTS

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place to connect to: any of these addresses."""

    place: Place
    addresses: tuple[str, ...]


def exchange(method: str, url: str, *, body: bytes, headers: Mapping[str, str], deadline_seconds: float) -> Answer:
    """Send one request and return its JSON answer, whatever its status; raises NotSent or NoAnswer."""
    ends_at = time.monotonic() + deadline_seconds
    target = checked_target(url, seconds=deadline_seconds)
    connection = http.client.HTTPConnection(target.place.host, target.place.port)
    connection.sock = _connected(target, ends_at)
    with closing(connection), _cut_at(ends_at, connection.sock):
        _greet(connection.sock)
        return _read(_response(connection, method, target.place, body, headers))


@contextmanager
def _cut_at(ends_at: float, sock: socket.socket) -> Iterator[None]:
    """End what is said over a connection when its time is over."""
    cut = threading.Timer(max(0.0, ends_at - time.monotonic()), _cut, args=[sock])
    cut.daemon = True
    cut.start()
    try:
        yield
    finally:
        cut.cancel()


def _cut(sock: socket.socket) -> None:
    try:
        # The plain socket's: that of TLS would take its reader's ground away in the middle of a read.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:  # closed by the other side meanwhile
        return


def _response(
    connection: http.client.HTTPConnection, method: str, place: Place, body: bytes, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Send the request; return once the answer's head is here."""
    try:
        connection.request(method, place.path, body or None, {"Host": place.host_header, **headers})
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(type(error).__name__) from error


def checked_target(url: str, *, seconds: float = CONNECT_SECONDS) -> Target:
    """Return where a URL leads; raises NotSent for a scheme, port or address that is not allowed.

    The name must be resolved within so many seconds.
    """
    place = place_of(url)
    is_own = f"{place.host}:{place.port}" in settings.ACTIONS_LOOPBACK
    if not is_own and not place.is_for_the_web:
        raise NotSent("the address must begin with https and use a port for the web")
    return Target(place, _resolved(place, seconds, is_own=is_own))


def place_of(url: str) -> Place:
    """Return the parts of an http(s) URL; raises NotSent for one that can be read in more than one way."""
    # urlsplit drops tabs and line ends in silence, browsers take a backslash for a slash, and what is not ASCII has
    # one spelling in the name service and another on the wire.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise NotSent("the address holds characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    except ValueError as error:
        raise NotSent("the address cannot be read") from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise NotSent("the address must be http(s) without a user name")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme == "https", host, port, path or "/")


def _resolved(place: Place, seconds: float, *, is_own: bool) -> tuple[str, ...]:
    try:
        found = _looked_up(place, seconds)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        raise NotSent("the name cannot be resolved") from error
    # One private answer among public ones is a trap: all must be fit.
    if not found or (not is_own and not all(is_public(address) for address in found)):
        raise NotSent("the address does not lie in the public internet")
    return found


def _looked_up(place: Place, seconds: float) -> tuple[str, ...]:
    """Ask the resolver in a thread that is left behind when it takes too long: it knows no deadline of ours."""
    answer: Future[tuple[str, ...]] = Future()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            answer.set_result(tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="actions-resolver", daemon=True).start()
    return answer.result(seconds)


def _connected(target: Target, ends_at: float) -> socket.socket:
    """Return a connection to the first address that takes one; TLS is prepared and not yet spoken."""
    share = min(CONNECT_SECONDS, ends_at - time.monotonic()) / len(target.addresses)
    for address in target.addresses:
        try:
            plain = socket.create_connection((address, target.place.port), timeout=max(share, 0.001))
            return _prepared(plain, target.place)
        except OSError as error:
            cause = error
    raise NotSent(f"no connection: {type(cause).__name__}") from cause


def _prepared(plain: socket.socket, place: Place) -> socket.socket:
    plain.settimeout(None)  # from here on the watchdog keeps the time
    if not place.is_tls:
        return plain
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(plain, server_hostname=place.host, do_handshake_on_connect=False)
    except OSError:
        plain.close()
        raise


def _greet(sock: socket.socket) -> None:
    """Speak the handshake where there is one; raises NotSent, since no word of the request comes before it."""
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
    except OSError as error:  # TLS errors are OSErrors too
        raise NotSent(f"no connection: {type(error).__name__}") from error


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
