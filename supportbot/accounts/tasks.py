from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore


@shared_task
def purge_sessions() -> None:
    """Delete expired login sessions. Safe to run twice."""
    SessionStore.clear_expired()
