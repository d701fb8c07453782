from celery import shared_task

from supportbot.chat.erasure import sweep_orphaned_bodies
from supportbot.chat.retention import erase_expired


@shared_task
def sweep_erased() -> None:
    """Delete the bodies of model calls about erased conversations. Safe to run twice."""
    sweep_orphaned_bodies()


@shared_task
def retain() -> None:
    """Erase workspaces' expired data. Safe to run twice."""
    erase_expired()
