"""Celery tasks of the figures."""

from celery import shared_task

from supportbot.insights.rollups import roll_up_all, roll_up_todays


@shared_task
def roll_up() -> None:
    """Add up the days of busy workspaces that have changed; safe to run twice."""
    roll_up_all()


@shared_task
def roll_up_today() -> None:
    """Add up today again for busy workspaces; safe to run twice."""
    roll_up_todays()
