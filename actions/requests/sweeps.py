"""Sweeps over requests: publish what is still queued, recover silent attempts, check unknown outcomes, judge waiting
requests by changed rules, expire requests.

Every step is conditional on the request's state, so two simultaneous sweeps, or a sweep and a worker, do nothing twice.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from actions.models import ActionRequest
from actions.reasons import Reason
from actions.requests.celery_publisher import publish
from actions.requests.execution import recover
from actions.requests.reevaluation import judge_anew, unjudged
from actions.requests.transitions import expire
from actions.requests.unknown_outcomes import reconcile
from actions.states import State
from supportbot.accounts.scope import across_workspaces, workspace_scope

logger = logging.getLogger(__name__)
BATCH: Final = 200
CHECK_SECONDS: Final = 1.0
JUDGE_SECONDS: Final = 5.0
CHECK_LEASE: Final = timedelta(seconds=30)
# After this time, a worker has taken a published request, unless its message was lost.
MESSAGE_GRACE: Final = timedelta(seconds=2)


def sweep() -> None:
    """Move every pending request one step forward; an error in one does not stop the others."""
    _for_each(recover, _due(Q(state=State.EXECUTING, lease_until__lte=now())))
    try:
        publish_due()
    except (OperationalError, OSError):
        logger.info("actions: the broker is not responding, the next sweep will publish")
    _check_outcomes()


def judge_waiting() -> None:
    """Spend a few seconds judging waiting requests that were made under other rules; the next sweep does the rest. The
    newest are judged first, so that those that have waited longest are kept if a limit no longer allows all of them.
    """
    ends_at = monotonic() + JUDGE_SECONDS
    with across_workspaces("sweep of action requests"):
        condition = unjudged()
    for due in _due(condition, newest_first=True):
        if monotonic() >= ends_at:
            return
        _for_each(judge_anew, [due])


def _for_each(step: Callable[[UUID], None], due: list[tuple[UUID, UUID]]) -> None:
    for workspace_id, request_id in due:
        try:
            with workspace_scope(workspace_id):
                step(request_id)
        except Exception:
            # One request's failure must not stop the others; the next sweep retries it.
            logger.exception("actions: the sweep failed for request %s", request_id)


def publish_due() -> int:
    """Publish queued requests that are due; return how many. Runs in a worker, which has a broker."""
    fresh = Q(due_at=None, changed_at__lte=now() - MESSAGE_GRACE)
    due = _due(Q(state=State.QUEUED) & (fresh | Q(due_at__lte=now())))
    for workspace_id, request_id in due:
        publish(workspace_id, request_id)
    return len(due)


def _check_outcomes() -> None:
    """Check unknown outcomes with the merchants for about a second: a merchant that hangs must not occupy all of a
    worker's threads, since the next sweep starts soon.
    """
    ends_at = monotonic() + CHECK_SECONDS
    for due in _due(Q(state=State.UNKNOWN, due_at__lte=now())):
        if monotonic() >= ends_at:
            return
        _for_each(_check_outcome, [due])


def _check_outcome(request_id: UUID) -> None:
    """Check one outcome, unless another sweep is checking it; if this process dies, it is checked again."""
    waiting = ActionRequest.objects.filter(pk=request_id, state=State.UNKNOWN, due_at__lte=now())
    if waiting.update(due_at=now() + CHECK_LEASE):
        reconcile(request_id)


def _due(condition: Q, *, newest_first: bool = False) -> list[tuple[UUID, UUID]]:
    order = "-changed_at" if newest_first else "changed_at"
    with across_workspaces("sweep of action requests"):
        found = ActionRequest.objects.filter(condition).order_by(order).values_list("workspace_id", "id")
        return [(workspace_id, request_id) for workspace_id, request_id in found[:BATCH] if workspace_id is not None]


def expire_waiting() -> None:
    """Expire the cards and approvals whose time is up."""
    for state, reason in ((State.AWAITING_CONFIRMATION, "not_confirmed"), (State.AWAITING_APPROVAL, "not_approved")):
        _for_each(partial(expire, reason=Reason(reason)), _due(Q(state=state, expires_at__lte=now())))
