"""The Celery task of releases."""

from celery import shared_task

from supportbot.accounts.scope import across_workspaces
from supportbot.releases.evaluation import claim_waiting, judge_claimed


@shared_task
def judge_waiting() -> None:
    """Have the gates judge a waiting draft. The task's next run judges the next draft."""
    with across_workspaces("releases that wait for their evaluation"):
        claimed = claim_waiting()
    if claimed is not None:
        judge_claimed(claimed)
