"""Where a channel's chat is shown: embedded in a merchant's page, and on its hosted page."""

from django.conf import settings

from supportbot.accounts.models import Channel


def snippet(channel: Channel) -> str:
    """Return the script tag that embeds a channel's chat."""
    place = ' data-position="start"' if channel.position == Channel.Position.START else ""
    return f'<script async src="{settings.BASE_URL}/widget/v1.js" data-channel="{channel.key}"{place}></script>'


def hosted_url(channel_key: str) -> str:
    """Return the address of the channel's hosted chat page."""
    return f"{settings.BASE_URL}/chat/{channel_key}/"
