"""Whether a model server is configured. Separate from the routes, whose answerer start-up does not need."""

from django.conf import settings


def is_remote_configured() -> bool:
    """Return whether a key, an address or a model is set; any of them means a server."""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL or settings.OPENAI_MODEL)
