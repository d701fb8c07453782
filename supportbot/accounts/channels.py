"""Creates, reads and changes channels, and records the pages that show their chat."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.colour import LIGHT, fit
from supportbot.accounts.errors import NoSuchKey
from supportbot.accounts.field_checks import check_fields, check_locale
from supportbot.accounts.models import Channel, IdentityKey, Workspace
from supportbot.accounts.origins import clean_origins, is_allowed, own_origins
from supportbot.accounts.ports import record_change
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import InvalidInput, NotFound


def channel_with_id(channel_id: UUID) -> Channel:
    """Return a channel of the current workspace; raises NotFound."""
    channel: Channel | None = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise NotFound()
    return channel


@transaction.atomic
def change_channel(channel_id: UUID, *, actor: str = "", **changes: Any) -> Channel:
    """Change a channel's name, origins or branding. Raises NotFound, or InvalidInput with the field's name."""
    channel: Channel | None = Channel.objects.select_for_update(no_key=True).filter(pk=channel_id).first()
    if channel is None:
        raise NotFound()
    if "allowed_origins" in changes:
        changes["allowed_origins"] = clean_origins(changes["allowed_origins"])
    if "locale" in changes:
        check_locale(changes["locale"])
    differing = sorted(field for field, value in changes.items() if getattr(channel, field) != value)
    for field, value in changes.items():
        setattr(channel, field, value)
    check_fields(channel)
    channel.save(update_fields=list(changes))
    if differing:
        record_change("channel.changed", actor=actor, channel=channel.key, fields=" ".join(differing))
    return channel


def note_page(channel: Channel, origin: str) -> None:
    """Record a page on another site that has this channel's tag: the first one that is allowed, or the latest that is
    refused.
    """
    if origin in own_origins():
        return
    with workspace_scope(channel.workspace_pk):
        this = Channel.objects.filter(pk=channel.pk)
        if is_allowed(origin, channel):
            this.filter(seen_at=None).update(seen_at=now(), seen_origin=origin, refused_origin="")
        else:
            this.exclude(refused_origin=origin).update(refused_origin=origin)


def note_loader(origin: str) -> None:
    """Record that a page loaded the widget's script.

    The request does not specify a channel, so this is recorded for all channels that allow the page. If none does, and
    there is exactly one channel that no page has used yet, that channel's tag was probably pasted into the page. The
    browser never sends the request that would name the channel, because its preflight is refused.
    """
    if origin in own_origins():
        return
    with across_workspaces("look-up by origin"):
        live = Channel.objects.filter(is_live=True)
        allowing = live.filter(allowed_origins__contains=[origin])
        if allowing.exists():
            allowing.filter(seen_at=None).update(seen_at=now(), seen_origin=origin, refused_origin="")
        elif live.count() == 1:
            live.filter(seen_at=None).exclude(refused_origin=origin).update(refused_origin=origin)


def snippet(channel: Channel) -> str:
    """Return the script tag that embeds a channel's chat. It contains what the launcher needs before its first request:
    its position, its colour and its icon's colour.
    """
    place = ' data-position="start"' if channel.position == Channel.Position.START else ""
    look = f"{place}{_colours(channel.accent or channel.workspace.accent)}"
    return f'<script async src="{settings.BASE_URL}/widget/v1.js" data-channel="{channel.key}"{look}></script>'


def _colours(accent: str) -> str:
    if not accent:
        return ""
    fitted = fit(accent, LIGHT)
    icon = "" if fitted["on-accent"] == "#ffffff" else f' data-on-accent="{fitted["on-accent"]}"'
    return f' data-accent="{fitted["accent-solid"]}"{icon}'


def hosted_url(channel_key: str) -> str:
    """Return the address of the channel's hosted chat page."""
    return f"{settings.BASE_URL}/chat/{channel_key}/"


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel, and the secret that signs its customers' identities. The secret is shown only once."""

    channel: Channel
    identity_secret: str


@transaction.atomic
def create_channel(
    workspace: Workspace,
    name: str,
    *,
    allowed_origins: Iterable[str] = (),
    locale: str = "",
    greeting: str = "",
    identity_secret: str = "",
    actor: str = "",
    **branding: Any,
) -> NewChannel:
    """Create a channel with one HS256 identity key. Its secret is generated unless one of at least 32 characters is
    given.

    `branding` sets further fields of the channel, such as greetings, suggestions, assistant_name, accent and
    privacy_url.
    """
    secret = identity_secret or secrets.token_urlsafe(48)
    if len(secret) < 32:
        raise InvalidInput(fields={"identity_secret": [gettext("A signing secret must have at least 32 characters.")]})
    locale = locale or workspace.locale
    check_locale(locale)
    with workspace_scope(workspace.pk):
        channel = Channel(
            key=f"pk_{secrets.token_hex(12)}",
            name=name.strip(),
            allowed_origins=clean_origins(allowed_origins),
            locale=locale,
            greeting=greeting,
            **branding,
        )
        check_fields(channel)
        channel.save(force_insert=True)
        IdentityKey.objects.create(
            channel=channel, kid="1", algorithm=IdentityKey.Algorithm.HS256, secret=secret, public_key=""
        )
        record_change("channel.created", actor=actor, channel=channel.key, name=channel.name)
    return NewChannel(channel, secret)


def channel_named(key: str) -> Channel:
    """Return the current workspace's channel with this public key, whether or not it is live. Raises NoSuchKey."""
    channel: Channel | None = Channel.objects.filter(key=key).first()
    if channel is None:
        raise NoSuchKey(gettext("There is no channel {key} in this workspace.").format(key=key))
    return channel


def channel_by_key(key: str) -> Channel | None:
    """Return the live channel with this public key, or None."""
    if not key.isprintable():  # PostgreSQL accepts neither NUL nor lone surrogates
        return None
    with across_workspaces("look-up by channel key"):
        return Channel.objects.select_related("workspace").filter(key=key, is_live=True).first()
