"""Decides which web pages belong to a channel, and reads the origins that people enter.

Origins are compared as a whole (scheme, host, port), never in part.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import idna
from django.conf import settings
from django.db.models import QuerySet
from django.utils.text import Truncator
from django.utils.translation import gettext

from supportbot.accounts.models import Channel
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import InvalidInput

MAX_ORIGINS: Final = 50  # of a channel; the hosted page's content security policy lists them all
MAX_HOST_CHARACTERS: Final = 253
MAX_PORT: Final = 65_535
# An origin in the form that browsers send: an ASCII host name (others as xn--…) or an IP address; no user, wildcard or
# path.
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?/?",
    re.ASCII | re.IGNORECASE,
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_ANY_HOST: Final = re.compile(r"(https?://)([^\s/:@?#\[\]]{1,253})([:/].*)?", re.IGNORECASE)
MAX_SHOWN: Final = 100  # characters of an entry in an error


def read_origin(header: str | None) -> str | None:
    """Return the canonical form of an Origin header, or None if it is missing, `null` or not an origin."""
    if not header or header == "null":
        return None
    try:
        return clean_origin(header)
    except (InvalidInput, ValueError):  # ValueError: brackets without an IPv6 address
        return None


def own_origins() -> frozenset[str]:
    """Return the origins of this installation's own pages."""
    parts = urlsplit(settings.BASE_URL)
    own = {f"{parts.scheme}://{parts.netloc}".lower()}
    if not settings.PUBLIC_URL:  # people may use 127.0.0.1 or localhost
        own.add(f"http://localhost:{parts.port}")
    return frozenset(own)


def is_allowed(origin: str, channel: Channel) -> bool:
    return origin in channel.allowed_origins or origin in own_origins()


def is_known(origin: str) -> bool:
    """Return whether any live channel allows the origin.

    This is used for preflights, and for errors before the channel is known.
    """
    with across_workspaces("look-up by origin"):
        return origin in own_origins() or _channels_of(origin).exists()


def is_known_in(workspace_id: UUID, origin: str) -> bool:
    """Return whether a live channel of the workspace allows the origin."""
    with workspace_scope(workspace_id):
        return origin in own_origins() or _channels_of(origin).exists()


def _channels_of(origin: str) -> QuerySet[Channel]:
    return Channel.objects.filter(allowed_origins__contains=[origin], is_live=True)


def clean_origins(origins: Iterable[str]) -> list[str]:
    """Return each origin once, in its canonical form. Raises InvalidInput if there are too many or one is invalid."""
    cleaned = list(dict.fromkeys(clean_origin(origin) for origin in origins))
    if len(cleaned) > MAX_ORIGINS:
        problem = gettext("Enter at most {most} origins; you entered {number}. Create another channel for the rest.")
        raise InvalidInput(fields={"allowed_origins": [problem.format(most=MAX_ORIGINS, number=len(cleaned))]})
    return cleaned


def clean_origin(origin: str) -> str:
    """Return scheme://host[:port] in lower case, as browsers send it: münchen.example becomes xn--mnchen-3ya.example.

    Raises InvalidInput for anything that is not exactly an origin.
    """
    parts = _ORIGIN.fullmatch(_with_ascii_host(origin.strip()))
    if parts is None or not _is_host(parts["host"]) or int(parts["port"] or 0) > MAX_PORT:
        raise InvalidInput(
            fields={
                "allowed_origins": [
                    gettext("“{origin}” is not an origin. Enter one such as https://shop.example.").format(
                        origin=Truncator(origin).chars(MAX_SHOWN)
                    )
                ]
            }
        )
    scheme, port = parts["scheme"].lower(), int(parts["port"] or 0)
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{parts['host'].lower()}" + (f":{port}" if port and port != default else "")


def _with_ascii_host(origin: str) -> str:
    """Return the origin with its host as browsers send it (UTS 46, non-transitional: ß stays different from ss)."""
    parts = None if origin.isascii() else _ANY_HOST.fullmatch(origin)
    if parts is None:
        return origin
    try:
        return f"{parts[1]}{idna.encode(parts[2], uts46=True).decode()}{parts[3] or ''}"
    except idna.IDNAError:
        return origin


def _is_host(host: str) -> bool:
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            return False
        return "%" not in host  # a zone id is only meaningful on this machine
    return len(host) <= MAX_HOST_CHARACTERS and _HOST.fullmatch(host) is not None
