"""The Celery tasks of sources. All are safe to run twice and concurrently.

Only `serve_due` starts them: its next run finds what a lost message or a dead worker has left.
"""

from uuid import UUID

from celery import current_app, shared_task

from kb.sources import runs, storing, sync
from supportbot.accounts.scope import across_workspaces

SERVE = "kb.sources.tasks.serve"
MESSAGE_LIFE_SECONDS = 30


@shared_task
def serve_due() -> None:
    """Start scheduled runs, and a turn for each waiting run."""
    runs.begin_scheduled()
    with across_workspaces("items whose vectors came later"):
        storing.settle_embedded()
    for workspace_id, run_id in sync.runs_to_serve():
        current_app.send_task(
            SERVE,
            args=(str(workspace_id), str(run_id)),
            retry=False,
            ignore_result=True,
            expires=MESSAGE_LIFE_SECONDS,
        )


@shared_task
def serve(workspace_id: str, run_id: str) -> None:
    """Take one turn at a run of a source."""
    sync.serve(UUID(workspace_id), UUID(run_id))
