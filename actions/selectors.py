"""What is read of requests: lists for the team and for a customer, and the steps that one has taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import now

from actions.cards import face_of
from actions.facts import Unsettled
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.states import OPEN, State
from supportbot.accounts.callers import Caller, CustomerCaller
from supportbot.errors import NotFound

_STEP: Final = "request."
# What was refused, declined or let lapse was told at once, and what succeeded stands in the order itself.
_CAME_TO_NOTHING: Final = (State.REJECTED, State.FAILED)
_DECIDED: Final = (*OPEN, *_CAME_TO_NOTHING, State.SUCCEEDED)
_REMEMBERED: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Step:
    """One state a request has reached. `number` grows with every step of the workspace, with gaps."""

    number: int
    state: State
    at: datetime
    actor: str
    reason_code: str


def steps_of(request_id: UUID) -> list[Step]:
    """Return every state a request has reached, oldest first: announcements may be joined, these are not."""
    entries = AuditEntry.objects.filter(request_id=request_id, event__startswith=_STEP).order_by("seq")
    return [
        Step(entry.seq, State(state), entry.at, entry.actor, entry.payload.get("reason", ""))
        for entry in entries
        if (state := entry.event.removeprefix(_STEP)) in State.values
    ]


def requests_of(caller: Caller) -> QuerySet[ActionRequest]:
    """Return the requests a caller may read: a customer's own, all of the workspace for the team with the scope."""
    requests = ActionRequest.objects.select_related("policy_version").filter(workspace_id=caller.workspace_id)
    if isinstance(caller, CustomerCaller):
        return requests.filter(customer_id=caller.customer_id)
    return requests if caller.may("actions:read") else requests.none()


def request_for(caller: Caller, request_id: UUID) -> ActionRequest:
    """Return a request; raises NotFound for a foreign one exactly as for a missing one."""
    request = requests_of(caller).filter(pk=request_id).first()
    if request is None:
        raise NotFound()
    return request


def policies_in_force() -> dict[str, ActionPolicy]:
    """Return the scope's policies by the name of their action."""
    return {policy.action: policy for policy in ActionPolicy.objects.select_related("current")}


def offered_actions() -> frozenset[str]:
    """Return the names of the actions that are switched on here: what a model may be told of."""
    return frozenset(ActionPolicy.objects.filter(is_enabled=True).values_list("action", flat=True))


def unsettled_of(customer_id: UUID, locale: str) -> list[Unsettled]:
    """Return what a customer waits for, newest first, and what they lately asked for in vain and have not asked since.

    A later wish that was refused, declined or let lapse hides nothing: often an earlier one is why it was refused.
    """
    recent = ActionRequest.objects.filter(
        customer_id=customer_id, changed_at__gt=now() - _REMEMBERED, state__in=_DECIDED
    )
    told, later = [], set()
    for request in recent.order_by("-created_at", "-id"):
        wish = (request.order_id, request.action)
        is_open = request.state in OPEN
        if is_open and request.is_expired(now()):
            continue
        if is_open or (request.state in _CAME_TO_NOTHING and wish not in later):
            told.append(Unsettled(*wish, face_of(request, locale).title, request.state))
        later.add(wish)
    return told
