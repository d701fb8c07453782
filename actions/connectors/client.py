"""The HTTP client for merchants: JSON to one known host, within one deadline.

The name is resolved once, every resolved address is checked, and the connection goes to a checked address, which rules
out DNS rebinding. Redirects are not followed, proxy variables are ignored, the response size is capped while reading,
and a watchdog ends slow handshakes and slow responses.
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

MAX_RESPONSE_BYTES: Final = 1024 * 1024
CONNECT_SECONDS: Final = 3.0
ALLOWED_PORTS: Final = frozenset({443, 8443})


class NotSent(Exception):
    """The request did not leave this machine, so nothing can have happened."""


class NoAnswer(Exception):
    """The request was sent, at least in part, and no usable answer came: anything can have happened.

    `status` is that of an unusable answer, or 0 if none began; then the call may still be in progress.
    """

    def __init__(self, cause: str, *, status: int = 0) -> None:
        super().__init__(cause)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any  # parsed JSON


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of a URL, before its host name is resolved."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def is_public_https(self) -> bool:
        return self.is_tls and self.port in ALLOWED_PORTS

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A checked endpoint, with the addresses to connect to."""

    endpoint: Endpoint
    addresses: tuple[str, ...]


def exchange(method: str, url: str, *, body: bytes, headers: Mapping[str, str], deadline_seconds: float) -> Answer:
    """Send one request and return its JSON response with any status; raises NotSent or NoAnswer."""
    ends_at = time.monotonic() + deadline_seconds
    target = checked_target(url, seconds=deadline_seconds)
    connection = http.client.HTTPConnection(target.endpoint.host, target.endpoint.port)
    connection.sock = _connect(target, ends_at)
    with closing(connection), _shut_down_at(ends_at, connection.sock):
        _handshake(connection.sock)
        return _read(_response(connection, method, target.endpoint, body, headers))


@contextmanager
def _shut_down_at(ends_at: float, sock: socket.socket) -> Iterator[None]:
    """Shut the connection down when its deadline passes."""
    watchdog = threading.Timer(max(0.0, ends_at - time.monotonic()), _abort, args=[sock])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _abort(sock: socket.socket) -> None:
    try:
        # The plain socket's method: that of the TLS socket would break a read that is in progress.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:  # already closed by the other side
        return


def _response(
    connection: http.client.HTTPConnection, method: str, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Send the request; return when the response's headers have arrived."""
    try:
        connection.request(method, endpoint.path, body or None, {"Host": endpoint.host_header, **headers})
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(type(error).__name__) from error


def checked_target(url: str, *, seconds: float = CONNECT_SECONDS) -> Target:
    """Return the checked target of a URL; raises NotSent for a scheme, port or address that is not allowed.

    The host name must resolve within `seconds`.
    """
    endpoint = parse_endpoint(url)
    is_own = f"{endpoint.host}:{endpoint.port}" in settings.ACTIONS_LOOPBACK
    if not is_own and not endpoint.is_public_https:
        raise NotSent("the address must use https on port 443 or 8443")
    return Target(endpoint, _resolve_checked(endpoint, seconds, is_own=is_own))


def parse_endpoint(url: str) -> Endpoint:
    """Return the parts of an http(s) URL; raises NotSent for an ambiguous one."""
    # urlsplit silently drops tabs and line breaks, browsers treat a backslash as a slash, and non-ASCII text is spelled
    # differently in DNS and on the wire.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise NotSent("the address contains invalid characters")
    try:
        parts = urlsplit(url)
        port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    except ValueError as error:
        raise NotSent("the address is not a valid URL") from error
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise NotSent("the address must start with http:// or https:// and have no user name")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme == "https", host, port, path or "/")


def _resolve_checked(endpoint: Endpoint, seconds: float, *, is_own: bool) -> tuple[str, ...]:
    try:
        found = _resolve(endpoint, seconds)
    except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
        raise NotSent("the host name cannot be resolved") from error
    # One private address among public ones is a trap: all must be public.
    if not found or (not is_own and not all(is_public(address) for address in found)):
        raise NotSent("the address is not in the public internet")
    return found


def _resolve(endpoint: Endpoint, seconds: float) -> tuple[str, ...]:
    """Call the resolver in a thread that is abandoned when it takes too long, since it has no time-out of its own."""
    answer: Future[tuple[str, ...]] = Future()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            answer.set_result(tuple(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="actions-resolver", daemon=True).start()
    return answer.result(seconds)


def _connect(target: Target, ends_at: float) -> socket.socket:
    """Return a connection to the first address that accepts one; the TLS handshake comes later."""
    share = min(CONNECT_SECONDS, ends_at - time.monotonic()) / len(target.addresses)
    for address in target.addresses:
        try:
            plain = socket.create_connection((address, target.endpoint.port), timeout=max(share, 0.001))
            return _wrap_tls(plain, target.endpoint)
        except OSError as error:
            cause = error
    raise NotSent(f"no connection: {type(cause).__name__}") from cause


def _wrap_tls(plain: socket.socket, endpoint: Endpoint) -> socket.socket:
    plain.settimeout(None)  # from here on the watchdog enforces the deadline
    if not endpoint.is_tls:
        return plain
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(plain, server_hostname=endpoint.host, do_handshake_on_connect=False)
    except OSError:
        plain.close()
        raise


def _handshake(sock: socket.socket) -> None:
    """Do the TLS handshake if there is one; raises NotSent, since nothing of the request has been sent by then."""
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
        raw = response.read(MAX_RESPONSE_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"answered {response.status} in part", status=response.status) from error
    if len(raw) > MAX_RESPONSE_BYTES:
        raise NoAnswer("answered more than 1 MiB", status=response.status)
    try:
        return Answer(response.status, json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"answered {response.status} with broken JSON", status=response.status) from error
