"""SupportBot: answers from the knowledge base, guarded actions, and people when they are needed."""

from supportbot import former_paths
from supportbot.celery import app as celery_app
from supportbot.version import VERSION as __version__

__all__ = ["__version__", "celery_app"]

former_paths.install()
