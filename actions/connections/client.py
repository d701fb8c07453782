"""Calls over a connection: `Client(connection).send(Call(...))`.

Three outcomes, three types:
- `Response`: the API has answered, with any status. What that means is up to the caller.
- `NotSent`: the API has done nothing. No byte of the call can have reached it, or it refused the call because the token
  had expired (401), and no new token could be obtained. Sending it again later is safe.
- `NoAnswer`: the call may have been carried out. `status` is the status of an unusable response, or 0 if no response
  began.

One deadline covers everything that a call needs, including tokens. Nothing is sent twice, with one exception: a call
that is refused with 401 because of an earlier token is sent once more with a new token.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlencode

from django.utils.translation import gettext as _

from actions.connections.auth import Auth, Message, auth_headers, bearer
from actions.connections.decimal_json import from_json, to_json
from actions.connections.models import Connection
from actions.connections.oauth_tokens import Grant, cached_token, fetch_token, forget_token
from supportbot.ids import uuid7
from supportbot.outbound.client_certificate import ClientCertificate
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import MIB, Request, Trace, request
from supportbot.outbound.http import Response as RawResponse

__all__ = ["Call", "Client", "NoAnswer", "NotSent", "Response"]

MAX_RESPONSE_BYTES: Final = MIB
MAX_URL: Final = 8_000
_Reader = Callable[[bytes], bool] | None


@dataclass(frozen=True, slots=True)
class Call:
    """One call, complete and escaped: `path` begins with a slash and is percent-encoded, `body` is JSON or None.

    An empty path stands for the connection's own address. Decimals in `body` are written as JSON numbers, exactly.
    """

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)  # several values repeat the name
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    timeout_seconds: float = 8.0
    tool: str = ""  # of an MCP server (`mcp_tools`): `body` contains its arguments
    schema_hash: str = ""  # the tool's fingerprint when it was reviewed


@dataclass(frozen=True, slots=True)
class Response:
    """The API's response, with header names in lower case and parsed JSON.

    Numbers with a point are Decimal. `body` is None if there is no body, or if a response other than 2xx is not JSON,
    such as a gateway's page. A 2xx response whose body is not JSON raises NoAnswer, since the API itself would have
    sent JSON.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Client:
    connection: Connection

    def send(self, call: Call, *, trace: Trace | None = None) -> Response:
        """Send a call and return the response, whatever its status; raises NotSent or NoAnswer."""
        return _parsed(self.send_raw(call, trace=trace))

    def send_raw(
        self, call: Call, *, trace: Trace | None = None, has_enough: Callable[[bytes], bool] | None = None
    ) -> RawResponse:
        """Send a call and return the unparsed response; raises NotSent or NoAnswer. `has_enough` may stop reading a
        stream early.
        """
        ends_at = time.monotonic() + call.timeout_seconds
        url, body = self._url(call), _body(call)
        if self.connection.auth != Auth.OAUTH:
            return self._request(call, url, body, self._headers(call, url, body), ends_at, trace, has_enough)
        return self._send_with_token(call, url, body, ends_at, trace, has_enough)

    def _send_with_token(
        self, call: Call, url: str, body: bytes, ends_at: float, trace: Trace | None, has_enough: _Reader
    ) -> RawResponse:
        grant = Grant(self.connection.pk, self.connection.settings, self.connection.secret)
        cached = cached_token(grant)
        token = cached or fetch_token(grant, timeout_seconds=_left(ends_at))
        response = self._request(call, url, body, bearer(token), ends_at, trace, has_enough)
        if response.status != 401:
            return response
        forget_token(grant)
        if not cached:  # the token was issued just now, so the API refuses us for a different reason
            return response
        return self._request(
            call, url, body, bearer(fetch_token(grant, timeout_seconds=_left(ends_at))), ends_at, trace, has_enough
        )

    def _request(
        self,
        call: Call,
        url: str,
        body: bytes,
        own: Mapping[str, str],
        ends_at: float,
        trace: Trace | None,
        has_enough: _Reader,
    ) -> RawResponse:
        outgoing = Request(
            call.method,
            url,
            _merged(call, body, own),
            body,
            timeout_seconds=_left(ends_at),
            max_bytes=MAX_RESPONSE_BYTES,
            client_cert=ClientCertificate(self.connection.secret) if self.connection.auth == Auth.MTLS else None,
            has_enough=has_enough,
        )
        return request(outgoing, trace=trace)

    def _headers(self, call: Call, url: str, body: bytes) -> dict[str, str]:
        message = Message(call.method, url, body, datetime.now(UTC), str(uuid7()))
        return auth_headers(self.connection.auth, self.connection.settings, self.connection.secrets, message)

    def _url(self, call: Call) -> str:
        """Return the full address; raises NotSent for a path that leads out of the connection's address."""
        path = call.path
        # A server may decode a path before it resolves it.
        segments = unquote(path).replace("\\", "/").split("/")
        if (
            (path and not path.startswith("/"))
            or "?" in path
            or "#" in path
            or "\\" in path
            or {".", ".."} & set(segments)
        ):
            raise NotSent(_("the path “%(path)s” is not valid") % {"path": repr(path)[1:-1][:200]})
        query = f"?{urlencode(call.query, doseq=True)}" if call.query else ""
        url = f"{self.connection.base_url.rstrip('/')}{path}{query}"
        if len(url) > MAX_URL:
            raise NotSent(_("the address has more than %(count)s characters") % {"count": f"{MAX_URL:,}"})
        return url


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise NotSent(_("the call timed out before it could be sent"))
    return left


def _body(call: Call) -> bytes:
    try:
        return b"" if call.body is None else to_json(call.body)
    except (ValueError, RecursionError) as error:
        raise NotSent(_("the body cannot be written as JSON: %(cause)s") % {"cause": error}) from error


def _merged(call: Call, body: bytes, own: Mapping[str, str]) -> dict[str, str]:
    """Return all headers. The headers that authenticate take precedence: a definition cannot replace them."""
    taken = {name.lower() for name in own}
    defaults = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
    given = {name.lower() for name in call.headers}
    return {
        **{name: value for name, value in defaults.items() if name.lower() not in given},
        **{name: value for name, value in call.headers.items() if name.lower() not in taken},
        **own,
    }


def _parsed(response: RawResponse) -> Response:
    if not response.body.strip():
        return Response(response.status, response.headers, None)
    try:
        return Response(response.status, response.headers, from_json(response.body))
    except ValueError as error:
        if response.status < 300:
            raise NoAnswer(
                _("returned %(status)s without JSON") % {"status": response.status}, status=response.status
            ) from error
        return Response(response.status, response.headers, None)
