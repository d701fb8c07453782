"""SupportBot: answers from the knowledge base, guarded actions, and people when they are needed."""

from supportbot.celery import app as celery_app

__version__ = "0.2.0.dev0"
__all__ = ["__version__", "celery_app"]
