from celery import shared_task

from supportbot.widget.tickets import purge_tickets


@shared_task
def purge() -> None:
    """Delete tickets that have long expired; safe to run twice."""
    purge_tickets()
