"""The shop's settings, read once from the environment; an invalid one is refused with a message."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

# RFC 7518 3.2: an HS256 key is at least as long as the hash.
IDENTITY_SECRET_BYTES = 32
# Standard Webhooks, "Signature scheme": symmetric secrets have 24 to 64 bytes.
WEBHOOK_SECRET_BYTES = range(24, 65)
_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")


@dataclass(frozen=True)
class Environment:
    port: int
    data_dir: Path
    platform_url: str
    channel_key: str
    identity_secret: str
    webhook_secret: str


@cache
def environment() -> Environment:
    """Return this process's settings; raises ImproperlyConfigured."""
    return read_environment(os.environ)


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Return the checked settings; raises ImproperlyConfigured naming the variable and the fix."""
    return Environment(
        port=_port(_required(variables, "SHOP_PORT")),
        data_dir=Path(_required(variables, "SHOP_DATA_DIR")).absolute(),
        platform_url=_platform_url(_required(variables, "SHOP_PLATFORM_URL")),
        channel_key=_channel_key(_required(variables, "SHOP_CHANNEL_KEY")),
        identity_secret=_identity_secret(_required(variables, "SHOP_IDENTITY_SECRET")),
        webhook_secret=_webhook_secret(_required(variables, "SHOP_WEBHOOK_SECRET")),
    )


def _required(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is missing; examples/shop/README.md lists the variables.")
    return value


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= 65535):
        raise ImproperlyConfigured(f"SHOP_PORT is {value[:20]!r}; it must be a number from 1 to 65535.")
    return int(value)


def _platform_url(value: str) -> str:
    """Return an origin. It becomes part of the pages' security policy, where a blank or a quote would add rules."""
    if not _ORIGIN.fullmatch(value):
        raise ImproperlyConfigured("SHOP_PLATFORM_URL must be the platform's address, such as http://127.0.0.1:8000.")
    return value.rstrip("/")


def _channel_key(value: str) -> str:
    if not re.fullmatch(r"pk_[A-Za-z0-9_-]+", value):
        raise ImproperlyConfigured("SHOP_CHANNEL_KEY must be the public key of a widget channel: pk_...")
    return value


def _identity_secret(value: str) -> str:
    if len(value.encode()) < IDENTITY_SECRET_BYTES:
        raise ImproperlyConfigured(f"SHOP_IDENTITY_SECRET must have at least {IDENTITY_SECRET_BYTES} bytes.")
    return value


def _webhook_secret(value: str) -> str:
    prefix, _, encoded = value.partition("_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if prefix != "whsec" or len(key) not in WEBHOOK_SECRET_BYTES:
        raise ImproperlyConfigured("SHOP_WEBHOOK_SECRET must be whsec_ followed by 24 to 64 bytes in base64.")
    return value
