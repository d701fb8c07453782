from celery import shared_task

from supportbot.chat.erasure import sweep_bodies_of_nothing


@shared_task
def sweep_erased() -> None:
    """Delete what calls to models left behind of erased conversations; safe to run twice."""
    sweep_bodies_of_nothing()
