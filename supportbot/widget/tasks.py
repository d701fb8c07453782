from celery import shared_task

from supportbot.widget.codes import purge_codes
from supportbot.widget.tickets import purge_tickets


@shared_task
def purge() -> None:
    """Delete tickets and codes that have long expired; safe to run twice."""
    purge_tickets()
    purge_codes()
