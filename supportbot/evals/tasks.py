"""The Celery tasks of evaluations, on the queue `evaluations`. All are safe to run twice or concurrently.

Only the sweep, `start_due`, starts runs, checks and replays, so its next tick picks up work that was left by a lost
message or a dead worker.
"""

from uuid import UUID

from celery import current_app, shared_task
from django.utils.translation import override

from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import stored_language
from supportbot.evals.articles import draft_checks, prepared_questions, published_checks
from supportbot.evals.replays import replay_worker
from supportbot.evals.retention import purge_evaluations
from supportbot.evals.runs import run_worker

RUN = "supportbot.evals.tasks.play"  # the name is kept because an older process may have sent the task
CHECK = "supportbot.evals.tasks.check_articles"
TRY = "supportbot.evals.tasks.check_draft"
REPLAY = "supportbot.evals.tasks.replay"
MESSAGE_LIFE_SECONDS = 30


@shared_task
def start_due() -> None:
    """Have a worker carry out each run, article check and replay that no worker holds."""
    due = [(RUN, *ids) for ids in run_worker.due_runs()] + [(CHECK, *ids) for ids in published_checks.due_checks()]
    due += [(TRY, *ids) for ids in draft_checks.due_drafts()]
    due += [(REPLAY, *ids) for ids in replay_worker.due_replays()]
    for name, workspace_id, row_id in due:
        current_app.send_task(
            name, args=(str(workspace_id), str(row_id)), retry=False, ignore_result=True, expires=MESSAGE_LIFE_SECONDS
        )


@shared_task(name=RUN)
def play(workspace_id: str, run_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        run_worker.execute_run(UUID(run_id))


@shared_task(name=CHECK)
def check_articles(workspace_id: str, check_id: str) -> None:
    with workspace_scope(UUID(workspace_id)), override(stored_language(UUID(workspace_id))):
        published_checks.run_check(UUID(check_id))


@shared_task(name=TRY)
def check_draft(workspace_id: str, check_id: str) -> None:
    with workspace_scope(UUID(workspace_id)), override(stored_language(UUID(workspace_id))):
        draft_checks.run_draft_check(UUID(check_id))


@shared_task(name=REPLAY)
def replay(workspace_id: str, replay_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        replay_worker.run_replay(UUID(replay_id))


@shared_task
def prepare_questions() -> None:
    prepared_questions.prepare_questions()


@shared_task
def purge() -> None:
    purge_evaluations()
