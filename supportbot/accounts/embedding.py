"""The one line a merchant pastes into a page."""

from django.conf import settings


def snippet(channel_key: str) -> str:
    """Return the script tag that shows the chat of a channel."""
    return f'<script async src="{settings.BASE_URL}/widget/v1.js" data-channel="{channel_key}"></script>'
