"""Celery's door to what the gateway keeps."""

from celery import shared_task

from supportbot.llm.record import purge_expired_bodies


@shared_task
def purge_bodies() -> None:
    """Delete stored bodies of model calls whose time has come."""
    purge_expired_bodies()
