"""Where a channel's chat is shown: embedded in a merchant's page, and on its hosted page."""

from django.conf import settings


def snippet(channel_key: str) -> str:
    """Return the script tag that embeds a channel's chat."""
    return f'<script async src="{settings.BASE_URL}/widget/v1.js" data-channel="{channel_key}"></script>'


def hosted_url(channel_key: str) -> str:
    """Return the address of the channel's hosted chat page."""
    return f"{settings.BASE_URL}/chat/{channel_key}/"
