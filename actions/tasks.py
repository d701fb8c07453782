"""Celery's doors to the execution, on the queue `actions`. All of them are safe to run twice and at once."""

from uuid import UUID

from celery import shared_task

from actions import sweeping
from actions.execution import execute
from actions.publisher import RUN_REQUEST
from supportbot.accounts.scope import workspace_scope


@shared_task(name=RUN_REQUEST)
def run_request(workspace_id: str, request_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        execute(UUID(request_id))


@shared_task
def sweep() -> None:
    """Take up what was lost on its way, and ask for outcomes that are not known."""
    sweeping.sweep()


@shared_task
def expire_waiting() -> None:
    sweeping.expire_waiting()


@shared_task
def write_down_heads() -> None:
    sweeping.write_down_heads()
