"""What the clock does: hand over what is still queued, take up what went silent, ask for unknown outcomes, expire.

Every step is conditional on the request's state, so two sweeps, or a sweep beside a worker, change nothing twice.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from actions import audit, services
from actions.connectors.port import DidNot, Found, Happened, NeverSeen, merchant
from actions.errors import NotConnected
from actions.execution import FIRST_LOOK, fail, recover, refusal_of, succeed
from actions.models import ActionRequest, Attempt
from actions.publisher import publish
from actions.reasons import Reason
from actions.states import State
from actions.transitions import lock_request
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope

logger = logging.getLogger(__name__)
BATCH: Final = 200
LOOKING_SECONDS: Final = 1.0
LOOK_LEASE: Final = timedelta(seconds=30)
# "Never seen" means that it did not happen once no call can be under way any more. A merchant may hold a call that we
# gave up waiting for; one that it has answered is over, and its books may only lag behind a little.
SETTLED_AFTER: Final = timedelta(seconds=150)
SETTLED_AFTER_ANSWER: Final = timedelta(seconds=15)
LONGEST_PAUSE: Final = timedelta(hours=1)
# A request that was handed over has been taken by then, unless its message was lost.
HANDED_OVER: Final = timedelta(seconds=2)


def sweep() -> None:
    """Bring everything that moves a step further; what one request stumbles over holds up no other."""
    _each(recover, _due(Q(state=State.EXECUTING, lease_until__lte=now())))
    try:
        hand_over()
    except (OperationalError, OSError):
        logger.info("actions: the broker does not answer, the next sweep hands over")
    _look_for_outcomes()


def _each(step: Callable[[UUID], None], due: list[tuple[UUID, UUID]]) -> None:
    for workspace_id, request_id in due:
        try:
            with workspace_scope(workspace_id):
                step(request_id)
        except Exception:
            # The edge of one request: it stays as it is for the next sweep, and the others go on now.
            logger.exception("actions: the sweep stumbled over %s", request_id)


def hand_over() -> int:
    """Publish what is queued and due again; return how many. Runs in a worker, whose broker is there."""
    fresh = Q(due_at=None, changed_at__lte=now() - HANDED_OVER)
    due = _due(Q(state=State.QUEUED) & (fresh | Q(due_at__lte=now())))
    for workspace_id, request_id in due:
        publish(workspace_id, request_id)
    return len(due)


def _look_for_outcomes() -> None:
    """Ask merchants for unknown outcomes, for about a second: one that hangs must not take all of a worker's threads,
    since another sweep comes soon."""
    ends_at = monotonic() + LOOKING_SECONDS
    for due in _due(Q(state=State.UNKNOWN, due_at__lte=now())):
        if monotonic() >= ends_at:
            return
        _each(_look, [due])


def _look(request_id: UUID) -> None:
    """Look for one outcome, unless another sweep is at it; if this process dies, it is looked for again."""
    waiting = ActionRequest.objects.filter(pk=request_id, state=State.UNKNOWN, due_at__lte=now())
    if waiting.update(due_at=now() + LOOK_LEASE):
        reconcile(request_id)


def _due(condition: Q) -> list[tuple[UUID, UUID]]:
    with across_workspaces("sweep of action requests"):
        found = ActionRequest.objects.filter(condition).order_by("changed_at").values_list("workspace_id", "id")
        return [(workspace_id, request_id) for workspace_id, request_id in found[:BATCH] if workspace_id is not None]


def reconcile(request_id: UUID) -> None:
    """Ask the merchant by key what became of a request whose outcome is not known; nothing is ever sent again here."""
    try:
        found: Found = merchant().find(str(request_id))
    except NotConnected:
        found = DidNot("not_connected", "", is_final=False)
    with _locked_unknown(request_id) as request:
        if request is None:
            return
        if isinstance(found, Happened):
            succeed(request, found)
        elif isinstance(found, DidNot) and found.is_final:
            fail(request, refusal_of(found))
        elif isinstance(found, NeverSeen) and _settles_at(request) <= now():
            fail(request, Reason("not_carried_out"))
        else:
            _look_later(request)


@contextmanager
def _locked_unknown(request_id: UUID) -> Iterator[ActionRequest | None]:
    with transaction.atomic():
        request = lock_request(request_id)
        yield request if request.state == State.UNKNOWN else None


def _settles_at(request: ActionRequest) -> datetime:
    """Return when every call of this request is surely over, so that "never seen" is an answer."""
    sent = Attempt.objects.filter(request_id=request.pk, sent_at__isnull=False)
    ends = [
        attempt.sent_at + (SETTLED_AFTER_ANSWER if attempt.was_answered else SETTLED_AFTER)
        for attempt in sent
        if attempt.sent_at is not None
    ]
    return max(ends, default=request.changed_at)


def _look_later(request: ActionRequest) -> None:
    """Ask again after half the time it has been unknown: soon at first, hourly in the end, and once when it settles."""
    moment = now()
    due_at = moment + min(max((moment - request.changed_at) / 2, FIRST_LOOK), LONGEST_PAUSE)
    settles_at = _settles_at(request)
    if moment < settles_at < due_at:
        due_at = settles_at
    ActionRequest.objects.filter(pk=request.pk, state=State.UNKNOWN).update(due_at=due_at)


def expire_waiting() -> None:
    """End the cards and approvals whose time is over."""
    for state, reason in ((State.AWAITING_CONFIRMATION, "not_confirmed"), (State.AWAITING_APPROVAL, "not_approved")):
        _each(partial(services.expire, reason=Reason(reason)), _due(Q(state=state, expires_at__lte=now())))


def write_down_heads() -> None:
    """Note the end of every audit chain outside the database, where `audit_verify` looks for it."""
    settings.ACTIONS_AUDIT_HEADS.parent.mkdir(parents=True, exist_ok=True)
    with settings.ACTIONS_AUDIT_HEADS.open("a", encoding="utf-8") as file:
        for workspace in Workspace.objects.order_by("id"):
            with workspace_scope(workspace.pk):
                end = audit.head()
            if end.seq:
                note = {"workspace": str(workspace.pk), "seq": end.seq, "mac": end.mac, "at": now().isoformat()}
                file.write(json.dumps(note) + "\n")
