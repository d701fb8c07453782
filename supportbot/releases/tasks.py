"""Evaluates releases in a worker."""

import logging
from datetime import timedelta
from functools import partial
from typing import Final

from celery import shared_task

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import SupportBotError
from supportbot.leases import extending
from supportbot.releases import services
from supportbot.releases.evaluation_claims import Claim, claim_waiting, extend_claim

BEAT_SECONDS: Final = 15.0  # the interval for extending a claim
LONGEST: Final = timedelta(hours=12)  # an evaluation that takes longer is stuck, and another worker may take it

logger = logging.getLogger(__name__)


@shared_task
def judge_waiting() -> None:
    """Have the gates judge one waiting draft; the task's next run judges the next one."""
    with across_workspaces("releases that wait for their evaluation"):
        claimed = claim_waiting()
    if claimed is not None:
        _judge(claimed)


def _judge(claim: Claim) -> None:
    release_id, extend = claim.release_id, partial(extend_claim, claim)
    with workspace_scope(claim.workspace_id):
        try:
            with extending(extend, every=BEAT_SECONDS, longest=LONGEST, name=f"evaluation {release_id}"):
                services.evaluate(release_id)
        except SupportBotError as error:
            logger.warning("release %s was not judged: %s", release_id, error.code)
            services.store_problem(release_id, error.message)
        except Exception:
            # The edge of a task: a suite that breaks must not leave the draft waiting forever.
            logger.exception("release %s was not judged", release_id)
            services.store_problem(release_id, "")
            raise
