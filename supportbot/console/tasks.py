"""The Celery tasks of the console."""

from celery import shared_task

from supportbot.console.articles.scheduling import carry_out_due


@shared_task
def carry_out_plans() -> None:
    """Publish and archive the articles whose time has come."""
    carry_out_due()
