"""Which web pages may use a channel. Origins are compared whole (scheme, host, port), never by a part of them."""

from urllib.parse import urlsplit

from django.conf import settings

from supportbot.accounts.models import Channel
from supportbot.accounts.scope import across_workspaces
from supportbot.accounts.services import clean_origin
from supportbot.errors import InvalidInput


def read_origin(header: str | None) -> str | None:
    """Return the origin a browser sent in its canonical form; None where it is missing, `null` or not an origin."""
    if not header or header == "null":
        return None
    try:
        return clean_origin(header)
    except (InvalidInput, ValueError):  # ValueError: brackets that hold no address
        return None


def own_origins() -> frozenset[str]:
    """Return the origins of this installation's own pages."""
    parts = urlsplit(settings.BASE_URL)
    own = {f"{parts.scheme}://{parts.netloc}".lower()}
    if not settings.PUBLIC_URL:  # both names of this machine are typed into address bars
        own.add(f"http://localhost:{parts.port}")
    return frozenset(own)


def is_allowed(origin: str, channel: Channel) -> bool:
    return origin in channel.allowed_origins or origin in own_origins()


def is_known(origin: str) -> bool:
    """Say whether any live channel allows the origin: a preflight names no channel, an error may precede one."""
    if origin in own_origins():
        return True
    with across_workspaces("look-up by origin"):
        return Channel.objects.filter(allowed_origins__contains=[origin], is_live=True).exists()
