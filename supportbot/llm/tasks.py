"""Celery tasks for the call records."""

from celery import shared_task

from supportbot.llm.call_record import purge_expired_bodies


@shared_task
def purge_bodies() -> None:
    """Delete expired bodies of model calls."""
    purge_expired_bodies()
