"""Evaluates releases in a worker: one worker at a time holds a claim on a draft and keeps extending it.

A claim ends after a minute unless it is extended. So if a worker dies, another one soon takes over the draft, while an
evaluation that takes hours keeps its claim.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from celery import shared_task
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import override

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.workspaces import stored_language
from supportbot.errors import SupportBotError
from supportbot.leases import extending
from supportbot.releases import services
from supportbot.releases.models import DRAFT_STATES, Release

LEASE: Final = timedelta(minutes=1)
BEAT_SECONDS: Final = 15.0  # the interval for extending a claim
LONGEST: Final = timedelta(hours=12)  # an evaluation that takes longer is stuck, and another worker may take it

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Claim:
    """A worker's claim on the evaluation of a draft, until the time stored in the row."""

    workspace_id: UUID
    release_id: UUID
    until: datetime


def claim_waiting() -> Claim | None:
    """Claim a draft, in any workspace, that is waiting for the gates; None if there is none."""
    now = timezone.now()
    is_free = Q(judging_until=None) | Q(judging_until__lt=now)
    waiting = Release.objects.filter(is_free, state__in=DRAFT_STATES, judging_since__isnull=False)
    for row in waiting.order_by("judging_since")[:5]:
        claim = Claim(row.workspace_pk, row.pk, now + LEASE)
        mine = Release.objects.filter(is_free, pk=row.pk, state__in=DRAFT_STATES, judging_since__isnull=False)
        if mine.update(judging_until=claim.until):
            return claim
    return None


def extend_claim(claim: Claim) -> None:
    """Extend a claim if it is still held; do nothing if it was lost or the draft went live."""
    until = timezone.now() + LEASE
    held = Release.objects.filter(pk=claim.release_id, state__in=DRAFT_STATES, judging_until=claim.until)
    if held.update(judging_until=until):
        claim.until = until


@shared_task
def judge_waiting() -> None:
    """Have the gates judge one waiting draft; the task's next run judges the next one."""
    with across_workspaces("releases that wait for their evaluation"):
        claimed = claim_waiting()
    if claimed is not None:
        _judge(claimed)


def _judge(claim: Claim) -> None:
    release_id, extend = claim.release_id, partial(extend_claim, claim)
    with workspace_scope(claim.workspace_id), override(stored_language(claim.workspace_id)):
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
