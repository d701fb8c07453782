"""Whether a model server is named. Apart from the routes, which load an answerer: a start asks only this."""

from django.conf import settings


def is_remote_configured() -> bool:
    """Return whether the operator named a server: a key, an address or a model is enough to mean it."""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL or settings.OPENAI_MODEL)
