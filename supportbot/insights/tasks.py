"""The Celery tasks for the figures."""

from celery import shared_task

from supportbot.insights.stored_daily_sums import roll_up_all, roll_up_today_everywhere


@shared_task
def roll_up() -> None:
    """Compute the missing and changed days. Safe to run twice."""
    roll_up_all()


@shared_task
def roll_up_today() -> None:
    """Recompute today's sums in busy workspaces. Safe to run twice."""
    roll_up_today_everywhere()
