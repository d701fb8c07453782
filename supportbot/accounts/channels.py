"""Reading and changing existing channels."""

from typing import Any
from uuid import UUID

from django.db import transaction

from supportbot.accounts.models import Channel
from supportbot.accounts.services import check_fields, check_locale, clean_origins
from supportbot.errors import NotFound


def channel_with_id(channel_id: UUID) -> Channel:
    """Return a channel of the current workspace; raises NotFound."""
    channel: Channel | None = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise NotFound()
    return channel


@transaction.atomic
def change_channel(channel_id: UUID, **changes: Any) -> Channel:
    """Change a channel's name, origins or branding; raises NotFound, or InvalidInput naming the field."""
    channel: Channel | None = Channel.objects.select_for_update(no_key=True).filter(pk=channel_id).first()
    if channel is None:
        raise NotFound()
    if "allowed_origins" in changes:
        changes["allowed_origins"] = clean_origins(changes["allowed_origins"])
    if "locale" in changes:
        check_locale(changes["locale"])
    for field, value in changes.items():
        setattr(channel, field, value)
    check_fields(channel)
    channel.save(update_fields=list(changes))
    return channel
