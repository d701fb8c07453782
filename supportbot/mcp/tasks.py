from celery import shared_task

from supportbot.mcp.confirmation_links import purge_links


@shared_task
def purge() -> None:
    """Delete links that nobody can use any longer. Safe to run twice."""
    purge_links()
