"""Reading requests: lists for the team and for a customer."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import now

from actions.cards import card_of
from actions.facts import Unsettled
from actions.models import ActionPolicy, ActionRequest
from actions.policy_store import tried_rules
from actions.simulated_backend import sample_shop
from actions.states import OPEN, State
from supportbot import sql
from supportbot.accounts.principals import Caller, CustomerCaller
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotFound

# The customer already knows of refused, declined and expired requests, and the record itself shows successful ones.
_UNSUCCESSFUL: Final = (State.REJECTED, State.FAILED)
_DECIDED: Final = (*OPEN, *_UNSUCCESSFUL, State.SUCCEEDED)
_RECENT: Final = timedelta(days=30)
# Written in SQL, because these statements run in each turn.
_ENABLED: Final = "SELECT action FROM actions_actionpolicy WHERE workspace_id = %s AND is_enabled"
_REQUESTS: Final = (
    "SELECT DISTINCT action, state FROM actions_actionrequest WHERE conversation_id = %s AND workspace_id = %s"
)


def approvals_given(request: ActionRequest) -> int:
    """Return how many people have approved a request."""
    is_approved = request.needs_approval and bool(request.decided_by) and request.state != State.REJECTED
    return bool(request.first_approved_by) + is_approved


def requests_of(caller: Caller) -> QuerySet[ActionRequest]:
    """Return the requests that a caller may read: a customer's own, or all of the workspace's for a caller with the
    scope `actions:read`.
    """
    requests = ActionRequest.objects.select_related("policy_version").filter(workspace_id=caller.workspace_id)
    if isinstance(caller, CustomerCaller):
        return requests.filter(customer_id=caller.customer_id)
    return requests if caller.may("actions:read") else requests.none()


def request_for(caller: Caller, request_id: UUID) -> ActionRequest:
    """Return a request; raises NotFound if it does not exist or is someone else's."""
    request = requests_of(caller).filter(pk=request_id).first()
    if request is None:
        raise NotFound()
    return request


def policies_in_force() -> dict[str, ActionPolicy]:
    """Return the workspace's policies by action name."""
    return {policy.action: policy for policy in ActionPolicy.objects.select_related("current")}


def enabled_actions() -> frozenset[str]:
    """Return the names of the enabled actions, which a model may know about; rules that are being tried take
    precedence.
    """
    tried = tried_rules()
    stored = {action for (action,) in sql.fetch(_ENABLED, [current_workspace_id()])}
    return frozenset((stored - tried.keys()) | {action for action, rules in tried.items() if rules.is_enabled})


def states_in(conversation_id: UUID) -> frozenset[tuple[str, State]]:
    """Return the actions and states of a conversation's requests; most conversations have none."""
    found = sql.fetch(_REQUESTS, [conversation_id, current_workspace_id()])
    # a newer version may have other states
    return frozenset((action, State(state)) for action, state in found if state in State)


def unsettled_requests(customer_id: UUID, locale: str) -> list[Unsettled]:
    """Return a customer's open requests and their recent unsuccessful ones that they have not repeated, newest first.

    A later request that was refused, declined or expired does not hide an earlier one, since the earlier one is often
    the reason for the refusal. With sample orders, there are none.
    """
    if sample_shop() is not None:
        return []
    recent = ActionRequest.objects.filter(customer_id=customer_id, changed_at__gt=now() - _RECENT, state__in=_DECIDED)
    unsettled, later = [], set()
    for request in recent.order_by("-created_at", "-id"):
        subject = (request.subject_kind, request.subject_id, request.action)
        is_open = request.state in OPEN
        if is_open and request.is_expired(now()):
            continue
        if is_open or (request.state in _UNSUCCESSFUL and subject not in later):
            title = card_of(request, locale).title
            unsettled.append(Unsettled(request.subject_id, request.action, title, request.state, request.subject_kind))
        later.add(subject)
    return unsettled
