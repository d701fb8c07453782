"""Access tokens of OAuth connections: fetched with the client's credentials, kept in this process until they expire."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.utils.translation import gettext as _

from actions.connections.auth import basic_client
from actions.connections.decimal_json import from_json
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import Request, request

ASSUMED_SECONDS: Final = 300  # if a server does not say how long a token is valid
MARGIN_SECONDS: Final = 30  # tokens are not used shortly before they expire
MOST_SECONDS: Final = 24 * 3600
MAX_TOKENS: Final = 1_000
MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """The credentials for requesting a token. A rotated secret is a different grant, with a different token."""

    connection_id: UUID
    settings: Mapping[str, str] = field(hash=False)
    secret: str = field(repr=False)

    @property
    def key(self) -> str:
        parts = (
            str(self.connection_id),
            *(f"{name}={self.settings[name]}" for name in sorted(self.settings)),
            self.secret,
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _CachedToken:
    token: str = field(repr=False)
    ends_at: float


_tokens: dict[str, _CachedToken] = {}
_lock: Final = threading.Lock()


def cached_token(grant: Grant) -> str:
    """Return a token that is still valid, or ""."""
    with _lock:
        found = _tokens.get(grant.key)
    return found.token if found is not None and found.ends_at > time.monotonic() else ""


def forget_token(grant: Grant) -> None:
    with _lock:
        _tokens.pop(grant.key, None)


def fetch_token(grant: Grant, *, timeout_seconds: float) -> str:
    """Request a new token, cache it and return it. If that fails, raises NotSent, because the call that needs the token
    was not sent.
    """
    try:
        response = request(_token_request(grant, timeout_seconds))
    except (NotSent, NoAnswer) as error:
        raise NotSent(_("no access token: %(why)s") % {"why": error.why}) from error
    try:
        answer = from_json(response.body)
    except ValueError:
        answer = None
    fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    if response.status != 200:
        raise NotSent(
            _("no access token: the token address returned %(status)s %(error)s")
            % {"status": response.status, "error": _short(fields.get("error"))}
        )
    token, seconds = fields.get("access_token"), fields.get("expires_in", ASSUMED_SECONDS)
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NotSent(_("no access token: the token address returned 200 without a token"))
    if str(fields.get("token_type", "bearer")).lower() != "bearer":
        raise NotSent(_("no access token: the token is not a bearer token"))
    _keep(grant, token, float(seconds) if isinstance(seconds, int) else ASSUMED_SECONDS)
    return token


def _token_request(grant: Grant, timeout_seconds: float) -> Request:
    settings = grant.settings
    fields = {"grant_type": "client_credentials"}
    fields |= {name: settings[name] for name in ("scope", "audience") if settings[name]}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if settings["client_auth"] == "basic":
        headers |= basic_client(settings["client_id"], grant.secret)
    else:
        fields |= {"client_id": settings["client_id"], "client_secret": grant.secret}
    body = urlencode(fields).encode()
    return Request("POST", settings["token_url"], headers, body, timeout_seconds, MAX_BYTES)


def _keep(grant: Grant, token: str, seconds: float) -> None:
    now = time.monotonic()
    ends_at = now + min(max(seconds - MARGIN_SECONDS, 0), MOST_SECONDS)
    with _lock:
        for key in [key for key, kept in _tokens.items() if kept.ends_at <= now]:
            del _tokens[key]
        if len(_tokens) >= MAX_TOKENS:
            _tokens.clear()
        _tokens[grant.key] = _CachedToken(token, ends_at)


def _short(value: Any) -> str:
    """Return the printable part of an error's code (RFC 6749, 5.2)."""
    return value[:60] if isinstance(value, str) and value.isascii() and value.isprintable() else ""
