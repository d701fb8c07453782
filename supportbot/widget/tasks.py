from celery import shared_task

from supportbot.widget.session.one_time_codes import purge_codes
from supportbot.widget.session.tickets import purge_tickets


@shared_task
def purge() -> None:
    """Delete tickets and codes that expired more than an hour ago. Safe to run twice."""
    purge_tickets()
    purge_codes()
