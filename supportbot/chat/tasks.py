from celery import shared_task

from supportbot.chat.erasure import sweep_orphaned_bodies
from supportbot.chat.retention import erase_expired


@shared_task
def sweep_erased() -> None:
    """Delete the bodies of model calls about erased conversations; safe to run twice."""
    sweep_orphaned_bodies()


@shared_task
def retain() -> None:
    """Erase expired data of workspaces; safe to run twice."""
    erase_expired()
