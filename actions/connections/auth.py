"""The headers that authenticate our calls, built from a connection's settings and secret. Pure."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, urlsplit

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from standardwebhooks import Webhook


class Auth(TextChoices):
    NONE = "none", _("None")
    BEARER = "bearer", _("Bearer token")
    BASIC = "basic", _("User name and password")
    HEADER = "header", _("Key in a header")
    HMAC = "hmac", _("HMAC signature")
    STANDARD_WEBHOOKS = "standard_webhooks", _("Standard Webhooks signature")
    OAUTH = "oauth_client_credentials", _("OAuth client credentials")
    MTLS = "mtls", _("Client certificate (mutual TLS)")


HMAC_ALGORITHMS: Final = ("sha256", "sha512", "sha1")
HMAC_ENCODINGS: Final = ("hex", "base64")
SECRET_ENCODINGS: Final = ("text", "base64", "hex")
_MOMENT_NAMES: Final = frozenset({"timestamp", "timestamp_ms", "nonce", "key_id"})
SIGNED_NAMES: Final = _MOMENT_NAMES | {"method", "host", "path", "body", "body_sha256"}
VALUE_NAMES: Final = _MOMENT_NAMES | {"signature"}
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Message:
    """A request to be authenticated, and its time; no other message has the same `nonce`."""

    method: str
    url: str
    body: bytes
    moment: datetime
    nonce: str


def auth_headers(auth: str, settings: Mapping[str, str], secrets: tuple[str, ...], message: Message) -> dict[str, str]:
    """Return the headers that authenticate a message; the first secret is the current one. OAuth is not handled here:
    its token comes from another call (`oauth_tokens`) and is then used as a bearer token.
    """
    match Auth(auth):
        case Auth.BEARER:
            return bearer(secrets[0])
        case Auth.BASIC:
            return basic(settings["username"], secrets[0])
        case Auth.HEADER:
            return {settings["header"]: settings["prefix"] + secrets[0]}
        case Auth.HMAC:
            return _hmac_headers(settings, secrets[0], message)
        case Auth.STANDARD_WEBHOOKS:
            return _webhook_headers(secrets, message)
    return {}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def basic_client(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of an OAuth client: both parts are form-encoded first (RFC 6749, 2.3.1)."""
    return basic(quote_plus(client_id), quote_plus(secret))


def placeholders(template: str) -> set[str]:
    """Return the names in a template's braces."""
    return set(_PLACEHOLDER.findall(template))


def signing_key(secret: str, encoding: str) -> bytes:
    """Return the bytes of a secret; raises ValueError if the secret is not in this encoding."""
    if encoding == "base64":
        return b64decode(secret, validate=True)
    return bytes.fromhex(secret) if encoding == "hex" else secret.encode()


def _hmac_headers(settings: Mapping[str, str], secret: str, message: Message) -> dict[str, str]:
    moment = _moment_values(settings, message)
    signed = _fill(settings["signed"].replace("\\n", "\n"), {**moment, **_message_values(message)})
    raw = hmac.digest(signing_key(secret, settings["secret_encoding"]), signed, settings["algorithm"])
    signature = raw.hex().encode() if settings["encoding"] == "hex" else b64encode(raw)
    value = _fill(settings["value"], {**moment, "signature": signature}).decode()
    headers = {
        settings["timestamp_header"]: moment["timestamp"],
        settings["nonce_header"]: moment["nonce"],
        settings["key_id_header"]: moment["key_id"],
    }
    return {settings["header"]: value, **{name: text.decode() for name, text in headers.items() if name}}


def _moment_values(settings: Mapping[str, str], message: Message) -> dict[str, bytes]:
    seconds = message.moment.timestamp()
    return {
        "timestamp": str(int(seconds)).encode(),
        "timestamp_ms": str(int(seconds * 1000)).encode(),
        "nonce": message.nonce.encode(),
        "key_id": settings["key_id"].encode(),
    }


def _message_values(message: Message) -> dict[str, bytes]:
    parts = urlsplit(message.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return {
        "method": message.method.encode(),
        "host": parts.netloc.encode(),
        "path": path.encode(),
        "body": message.body,
        "body_sha256": hashlib.sha256(message.body).hexdigest().encode(),
    }


def _fill(template: str, values: Mapping[str, bytes]) -> bytes:
    """Return a template with its names replaced in one pass, so that inserted values are not expanded again."""
    parts = _PLACEHOLDER.split(template)  # text and names alternate
    return b"".join(values[part] if position % 2 else part.encode() for position, part in enumerate(parts))


def _webhook_headers(secrets: tuple[str, ...], message: Message) -> dict[str, str]:
    """Return the headers of Standard Webhooks, signed with every secret. The receiver needs only one valid signature,
    so it may still know only the old secret.
    """
    message_id, text = f"msg_{message.nonce}", message.body.decode()
    signatures = [Webhook(secret).sign(message_id, message.moment, text) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(message.moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
