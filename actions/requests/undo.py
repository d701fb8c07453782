"""Undoing a completed request with another action. The first action says which action undoes it, and the
first request provides the arguments.

The undo request is proposed like any other, with its own card, rules, approvals and limits; nothing runs automatically.
While an undo request is open, or once one has succeeded, a database constraint prevents a second one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.timezone import now

from actions.errors import CannotUndo
from actions.facts import Identity
from actions.models import ActionRequest
from actions.policy_store import rules_of
from actions.principals import Principal
from actions.registry import action_as_made, all_actions
from actions.requests.proposing import Preview, preview, propose
from actions.requests.rule_decision import Decision, Verdict
from actions.requests.undo_window import window_of
from actions.selectors import policies_in_force
from actions.spec import WriteAction
from actions.states import OPEN, UNDOING, State
from supportbot.errors import NotFound


@dataclass(frozen=True, slots=True)
class Offer:
    """The action that undoes a request, and the time until which it is offered."""

    action: WriteAction
    until: datetime


def offer_of(request: ActionRequest) -> Offer | None:
    """Return how a request can be undone now, or None."""
    return offers_of([request]).get(request.pk)


def offers_of(requests: Iterable[ActionRequest]) -> dict[UUID, Offer]:
    """Return how requests can be undone now, by their ids, with at most three queries for any number of requests."""
    return _offers(requests, unless=UNDOING)


def undone_by(request: ActionRequest, states: tuple[State, ...] = UNDOING) -> ActionRequest | None:
    """Return the request that undoes this one or has undone it."""
    found: ActionRequest | None = ActionRequest.objects.filter(undoes=request.pk, state__in=states).first()
    return found


def preview_undo(principal: Principal, request_id: UUID) -> Preview:
    """Return what `propose_undo` would decide, without storing anything. Raises the same errors."""
    request = _own(principal, request_id)
    under_way = undone_by(request, OPEN)
    if under_way is not None:
        verdict = Verdict.CONFIRM_AND_APPROVE if under_way.needs_approval else Verdict.CONFIRM
        return Preview(Decision(verdict), under_way)
    offer = _offered(request)
    arguments = _arguments(request, offer, principal.identity())
    return preview(principal, offer.action.name, arguments, undoes=request.pk)


def propose_undo(principal: Principal, request_id: UUID, *, proposal_key: str = "") -> ActionRequest:
    """Return the request that undoes one of the customer's own: a card that waits for their confirmation, or a refused
    request with its reason. While an undo request is open, it is returned instead of a new one. Without a
    `proposal_key`, callers get the same request until it is settled.

    Raises NotFound, CannotUndo (undoing is no longer offered, or an identical request is under way), NotSignedIn or
    MerchantUnavailable.
    """
    request = _own(principal, request_id)
    under_way = undone_by(request, OPEN)
    if under_way is not None:
        return under_way
    offer = _offered(request)
    arguments = _arguments(request, offer, principal.identity())
    earlier = ActionRequest.objects.filter(undoes=request.pk).count()
    return propose(
        principal,
        offer.action.name,
        arguments,
        proposal_key=proposal_key or f"undo:{request.pk}:{earlier}",
        conversation_id=request.conversation_id,
        undoes=request.pk,
    )


def _own(principal: Principal, request_id: UUID) -> ActionRequest:
    own = ActionRequest.objects.filter(pk=request_id, customer_id=principal.customer_id)
    request: ActionRequest | None = own.first()
    if request is None:
        raise NotFound()
    return request


def _offered(request: ActionRequest) -> Offer:
    # An open undo request does not prevent another call: if it was stored a moment ago, it is found by its key.
    offer = _offers([request], unless=(State.SUCCEEDED,)).get(request.pk)
    if offer is None:
        raise CannotUndo()
    return offer


def _offers(requests: Iterable[ActionRequest], *, unless: tuple[State, ...]) -> dict[UUID, Offer]:
    """Return the offers to undo these requests, except for requests with an undo request in one of the states in
    `unless`.
    """
    windows = {request.pk: window for request in requests if (window := window_of(request)) and now() < window.until}
    if not windows:
        return {}
    in_force, policies = all_actions(), policies_in_force()
    undoing = ActionRequest.objects.filter(undoes__in=list(windows), state__in=unless)
    undone = set(undoing.values_list("undoes", flat=True))
    offers = {}
    for key, window in windows.items():
        action, rules = in_force.get(window.action), rules_of(policies.get(window.action))
        until = window.decided_by(rules)
        if isinstance(action, WriteAction) and rules.is_enabled and key not in undone and now() < until:
            offers[key] = Offer(action, until)
    return offers


def _arguments(request: ActionRequest, offer: Offer, identity: Identity) -> Mapping[str, Any]:
    made = action_as_made(request.action, request.spec_version)
    assert isinstance(made, WriteAction)  # only writes are offered for undoing
    undoing = made.undo_arguments(request.arguments, request.receipt or {}, identity)
    if undoing is not None:
        return undoing
    return {name: request.arguments[name] for name in offer.action.arguments.all_fields if name in request.arguments}
