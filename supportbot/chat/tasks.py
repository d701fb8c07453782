from celery import shared_task

from supportbot.chat.erasure import sweep_orphaned_bodies


@shared_task
def sweep_erased() -> None:
    """Delete the bodies of model calls about erased conversations; safe to run twice."""
    sweep_orphaned_bodies()
