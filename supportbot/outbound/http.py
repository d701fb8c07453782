"""The HTTP client: sends one request to one checked address, within one deadline.

Redirects are not followed, proxy variables are ignored, and nothing is decompressed unless the caller wants it. The
size of the response is limited while it is read, and a watchdog ends slow handshakes and slow responses. Nothing is
ever sent twice.
"""

import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from supportbot.outbound.client_certificate import ClientCertificate, tls_context
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.ip_addresses import Networks
from supportbot.outbound.targets import Endpoint, Target, checked_target

CONNECT_SECONDS: Final = 3.0
MIB: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\t -~]*")
# These headers frame the message or name its recipient, so a caller who sets one could smuggle a second request into
# the first.
_RESERVED: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
    "accept-encoding", "proxy-authorization", "proxy-connection",
})  # fmt: skip
# OpenSSL's reasons if a response is not TLS
_PLAIN: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
_GZIP: Final = ("gzip", "x-gzip")
_GZIP_MAGIC: Final = b"\x1f\x8b"
MOST_MEMBERS: Final = 100  # maximum members of a gzip body, because unpacking one copies the rest of the body
_DEFAULTS: Final = {"User-Agent": "SupportBot", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_seconds: float = 8.0
    max_bytes: int = MIB  # the maximum size of the response's body
    client_cert: ClientCertificate | None = None
    # Called with each piece of the body as it arrives; returning True stops reading, for endless streams.
    has_enough: Callable[[bytes], bool] | None = None
    # Redirects are returned like other responses, for callers that check the target.
    returns_redirects: bool = False
    private_networks: Networks = ()  # networks that an operator allows for this call
    # A gzip body is unpacked, up to the same size. It is never requested, but storage services send files as stored.
    unpacks_gzip: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """The other side's response.

    Header names are in lower case; the values of headers with the same name are joined with commas.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Trace:
    """What is known about a call, filled in while it is made."""

    addresses: tuple[str, ...] = ()
    connected_to: str = ""
    tls: str = ""  # such as TLSv1.3
    certificate_ends: str = ""  # as stated in the server's certificate


def request(request: Request, *, trace: Trace | None = None) -> Response:
    """Send one request and return its response, whatever its status. Raises NotSent or NoAnswer.

    A response is unusable if it is a redirect (unless the caller wants redirects), compressed, truncated or larger than
    `max_bytes`. NoAnswer then contains its status.
    """
    trace = trace or Trace()
    ends_at = time.monotonic() + request.timeout_seconds
    _check(request)
    target = checked_target(request.url, seconds=request.timeout_seconds, also=request.private_networks)
    trace.addresses = target.addresses
    connection = http.client.HTTPConnection(target.endpoint.host, target.endpoint.port)
    connection.auto_open = 0  # this would resolve the name a second time
    connection.sock = _connect(target, ends_at, request.client_cert, trace)
    with closing(connection), _shut_down_at(ends_at, connection.sock):
        _handshake(connection.sock, ends_at, trace)
        return _read(_response(connection, request, target.endpoint), request)


def may_set_header(name: str) -> bool:
    """Return whether a caller may set a header with this name."""
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _RESERVED


def _check(request: Request) -> None:
    if request.method not in METHODS:
        raise NotSent(_("the method “%(method)s” is not supported") % {"method": repr(request.method)[1:-1][:20]})
    for name, value in request.headers.items():
        if not may_set_header(name):
            raise NotSent(_("the header “%(name)s” cannot be set") % {"name": repr(name)[1:-1][:60]})
        if not _VALUE.fullmatch(value):
            raise NotSent(_("the value of the header %(name)s contains invalid characters") % {"name": name})


@contextmanager
def _shut_down_at(ends_at: float, sock: socket.socket) -> Iterator[None]:
    """Within this block, shut the connection down when its deadline passes."""
    watchdog = threading.Timer(max(0.0, ends_at - time.monotonic()), _abort, args=[sock])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _abort(sock: socket.socket) -> None:
    try:
        # Use the plain socket's method, because the TLS socket's would break a read in progress.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:  # already closed by the other side
        return


def _connect(target: Target, ends_at: float, certificate: ClientCertificate | None, trace: Trace) -> socket.socket:
    """Return a connection to the first address that accepts one, before any TLS handshake."""
    share = min(CONNECT_SECONDS, ends_at - time.monotonic()) / len(target.addresses)
    context = tls_context(certificate) if target.endpoint.is_tls else None
    for address in target.addresses:
        try:
            plain = socket.create_connection((address, target.endpoint.port), timeout=max(share, 0.001))
            trace.connected_to = address
            return _wrap_tls(plain, target.endpoint, context)
        except OSError as error:
            cause = error
    raise NotSent(_why_not_connected(cause)) from cause


def _why_not_connected(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return _("no connection: the server did not respond in time")
    if isinstance(error, ConnectionRefusedError):
        return _("no connection: the server refused it")
    return _("no connection: %(cause)s") % {"cause": error.strerror or type(error).__name__}


def _wrap_tls(plain: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None) -> socket.socket:
    plain.settimeout(None)  # from here on, the watchdog enforces the deadline
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=endpoint.host, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:  # ValueError for a name that cannot occur in a certificate
        plain.close()
        raise NotSent(_("no secure connection: %(cause)s") % {"cause": type(error).__name__}) from error


def _handshake(sock: socket.socket, ends_at: float, trace: Trace) -> None:
    """Do the TLS handshake, if there is one.

    If it fails, raises NotSent, because no part of the request has been sent yet.
    """
    if not isinstance(sock, ssl.SSLSocket):
        return
    try:
        sock.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise NotSent(
            _("the server's certificate is not trusted: %(cause)s") % {"cause": error.verify_message}
        ) from error
    except OSError as error:  # TLS errors are OSErrors too
        if time.monotonic() >= ends_at:
            raise NotSent(_("no secure connection: the handshake took too long")) from error
        cause = getattr(error, "reason", "") or type(error).__name__
        if cause in _PLAIN:
            raise NotSent(_("no secure connection: the server does not use https on this port")) from error
        raise NotSent(_("no secure connection: %(cause)s") % {"cause": cause}) from error
    trace.tls = sock.version() or ""
    trace.certificate_ends = str((sock.getpeercert() or {}).get("notAfter", ""))


def _response(connection: http.client.HTTPConnection, request: Request, endpoint: Endpoint) -> http.client.HTTPResponse:
    """Send the request. Return the response once its headers have arrived."""
    headers = {"Host": endpoint.host_header, **_DEFAULTS, **request.headers}
    try:
        connection.request(request.method, endpoint.path, request.body or None, headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(_why_unanswered(error)) from error


def _why_unanswered(error: Exception) -> str:
    # Here, the watchdog's shutdown also looks like RemoteDisconnected.
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return _("no response: the connection was closed or timed out")
    if isinstance(error, http.client.HTTPException):
        return _("no valid response: it is not HTTP, or its headers are too large")
    return _("no response: %(cause)s") % {"cause": getattr(error, "reason", "") or type(error).__name__}


def _read(response: http.client.HTTPResponse, request: Request) -> Response:
    status = response.status
    if status < 200:
        raise NoAnswer(_("returned %(status)s without a body") % {"status": status})
    if status in REDIRECTS and not request.returns_redirects:
        raise NoAnswer(
            _("returned %(status)s, a redirect; redirects are not followed") % {"status": status}, status=status
        )
    encoding = response.getheader("Content-Encoding", "identity").strip().lower()
    is_packed = encoding in _GZIP and request.unpacks_gzip
    if encoding != "identity" and not is_packed:
        raise NoAnswer(
            _("returned %(status)s with compression that was not requested") % {"status": status}, status=status
        )
    try:
        body, is_enough = _body(response, request)
        body = _unpacked(body, request.max_bytes) if is_packed else body
    except (OSError, http.client.HTTPException, zlib.error) as error:
        raise NoAnswer(
            _("returned %(status)s with only a part of the body") % {"status": status}, status=status
        ) from error
    if len(body) > request.max_bytes:
        raise NoAnswer(_("returned more than %(count)s bytes") % {"count": f"{request.max_bytes:,}"}, status=status)
    if response.length and not is_enough:  # the part of the promised length that is missing
        raise NoAnswer(_("returned %(status)s with only a part of the body") % {"status": status}, status=status)
    return Response(status, _headers(response), body)


def _body(response: http.client.HTTPResponse, request: Request) -> tuple[bytes, bool]:
    """Return the body, which may slightly exceed its limit, and whether the caller had enough before its end."""
    if request.has_enough is None:
        return response.read(request.max_bytes + 1), False
    body = bytearray()
    while len(body) <= request.max_bytes and (piece := response.read1(_PIECE)):
        body += piece
        if request.has_enough(piece):
            return bytes(body), True
    return bytes(body), False


def _unpacked(body: bytes, most: int) -> bytes:
    """Return the content of a gzip body, or only its first `most` + 1 bytes.

    Raises zlib.error if the body is damaged.
    """
    if len(body) > most:  # too long, and its rest was not read
        return body
    content, members = b"", 0
    # A body can have several members. Responses such as 304 have none, although some servers keep the header.
    while body.startswith(_GZIP_MAGIC) or (body and not members):
        members += 1
        unpacking = zlib.decompressobj(wbits=31)
        content += unpacking.decompress(body, most + 1 - len(content))
        if len(content) > most:
            break
        if not unpacking.eof or members > MOST_MEMBERS:
            raise zlib.error("truncated, or has too many members")
        body = unpacking.unused_data
    return content


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in response.getheaders():
        shown = "".join(char for char in value if char.isprintable())
        name = name.lower()
        joined[name] = f"{joined[name]}, {shown}" if name in joined else shown
    return joined
