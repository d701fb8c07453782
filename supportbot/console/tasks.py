"""The console's Celery tasks."""

from celery import shared_task

from supportbot.console.articles.due_plans import carry_out_due


@shared_task
def carry_out_plans() -> None:
    """Carry out the plans that are due, which publish or archive their articles."""
    carry_out_due()
