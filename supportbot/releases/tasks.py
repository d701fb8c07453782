"""Evaluates releases, in a worker."""

import logging
from uuid import UUID

from celery import shared_task

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import SupportBotError
from supportbot.releases import services

logger = logging.getLogger(__name__)


@shared_task
def judge_waiting() -> None:
    """Have the gates judge one waiting draft; the next run takes the next."""
    with across_workspaces("releases that wait for their evaluation"):
        claimed = services.claim_waiting()
    if claimed is not None:
        _judge(*claimed)


def _judge(workspace_id: UUID, release_id: UUID) -> None:
    with workspace_scope(workspace_id):
        try:
            services.evaluate(release_id)
        except SupportBotError as error:
            logger.warning("release %s was not judged: %s", release_id, error.code)
            services.store_problem(release_id, error.message)
        except Exception:
            # The boundary of a task: a suite that breaks must not leave the draft waiting forever.
            logger.exception("release %s was not judged", release_id)
            services.store_problem(release_id, "")
            raise
