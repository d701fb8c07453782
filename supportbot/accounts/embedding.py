"""Where a channel's chat is shown: in a merchant's page by one line, and on a page of our own."""

from django.conf import settings


def snippet(channel_key: str) -> str:
    """Return the script tag that shows the chat of a channel."""
    return f'<script async src="{settings.BASE_URL}/widget/v1.js" data-channel="{channel_key}"></script>'


def hosted_url(channel_key: str) -> str:
    """Return the address of the channel's own chat page."""
    return f"{settings.BASE_URL}/chat/{channel_key}/"
