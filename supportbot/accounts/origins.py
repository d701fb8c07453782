"""Decides which web pages belong to a channel. Origins are compared as a whole (scheme, host, port), never in part."""

from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from supportbot.accounts.models import Channel
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.services import clean_origin
from supportbot.errors import InvalidInput


def read_origin(header: str | None) -> str | None:
    """Return the canonical form of an Origin header; None if it is missing, `null` or not an origin."""
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
    if not settings.PUBLIC_URL:  # people may use either name of this machine
        own.add(f"http://localhost:{parts.port}")
    return frozenset(own)


def is_allowed(origin: str, channel: Channel) -> bool:
    return origin in channel.allowed_origins or origin in own_origins()


def is_known(origin: str) -> bool:
    """Return whether any live channel allows the origin, for preflights and early errors without a known channel."""
    with across_workspaces("look-up by origin"):
        return origin in own_origins() or _channels_of(origin).exists()


def is_known_in(workspace_id: UUID, origin: str) -> bool:
    """Return whether a live channel of the workspace allows the origin."""
    with workspace_scope(workspace_id):
        return origin in own_origins() or _channels_of(origin).exists()


def _channels_of(origin: str) -> QuerySet[Channel]:
    return Channel.objects.filter(allowed_origins__contains=[origin], is_live=True)
