"""The Celery tasks of actions, on the queue `actions`. All of them can safely run twice or concurrently."""

from uuid import UUID

from celery import shared_task

from actions import audit
from actions.connections import services as connections
from actions.definitions import tool_changes
from actions.requests import sweeps
from actions.requests.celery_publisher import RUN_REQUEST
from actions.requests.execution import execute
from supportbot.accounts.scope import workspace_scope


@shared_task(name=RUN_REQUEST)
def run_request(workspace_id: str, request_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        execute(UUID(request_id))


@shared_task
def sweep() -> None:
    """Recover lost requests and check unknown outcomes."""
    sweeps.sweep()


@shared_task
def judge_waiting() -> None:
    """Judge waiting requests that were made under other rules."""
    sweeps.judge_waiting()


@shared_task
def expire_waiting() -> None:
    sweeps.expire_waiting()


@shared_task
def checkpoint_audit_chain() -> None:
    audit.checkpoint_audit_chain()


@shared_task
def forget_old_secrets() -> None:
    connections.forget_old_secrets()


@shared_task
def check_tools() -> None:
    """Switch off actions whose tools have changed since they were reviewed."""
    tool_changes.check_all()


@shared_task(name="actions.tasks.write_down_heads")
def write_down_heads() -> None:
    """The former name of `checkpoint_audit_chain`, for messages that an older beat sent; until 0.3."""
    audit.checkpoint_audit_chain()
