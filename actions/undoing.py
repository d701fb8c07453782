"""Taking back what was done: another action, which the first one names, with arguments of the first one's.

It is proposed like any action, with a card, the rules, the approvals and the limits of its own; nothing runs because
something else did. While one such request is open, or once one has succeeded, there is no second one (constraint).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.timezone import now

from actions.errors import CannotUndo
from actions.facts import Identity
from actions.models import ActionRequest
from actions.principals import Principal
from actions.proposing import Preview, preview, propose
from actions.registry import action_as_made, action_in_force
from actions.selectors import enabled_actions
from actions.spec import WriteAction
from actions.states import OPEN, UNDOING, State
from supportbot.errors import NotFound


@dataclass(frozen=True, slots=True)
class Offer:
    """The action that takes a request back, and until when it is offered."""

    action: WriteAction
    until: datetime


def offer_of(request: ActionRequest) -> Offer | None:
    """Return how a request can be taken back now, or None."""
    offer = _offered(request)
    return None if offer is None or undone_by(request, OPEN) or undone_by(request, (State.SUCCEEDED,)) else offer


def undone_by(request: ActionRequest, states: tuple[State, ...] = UNDOING) -> ActionRequest | None:
    """Return the request that takes this one back, or has."""
    found: ActionRequest | None = ActionRequest.objects.filter(undoes=request.pk, state__in=states).first()
    return found


def preview_undo(principal: Principal, request_id: UUID) -> Preview:
    """Return what `propose_undo` would decide; stores nothing. Raises NotFound or CannotUndo."""
    request, offer = _own(principal, request_id)
    return preview(principal, offer.action.name, _arguments(request, offer, principal.identity()))


def propose_undo(principal: Principal, request_id: UUID) -> ActionRequest:
    """Return the request that takes back one of the customer's own: a card that waits for their confirmation, or
    refused with its reason. While one is open, it is that one.

    Raises NotFound, CannotUndo, NotSignedIn or MerchantUnavailable.
    """
    request, offer = _own(principal, request_id)
    under_way = undone_by(request, OPEN)
    if under_way is not None:
        return under_way
    arguments = _arguments(request, offer, principal.identity())
    earlier = ActionRequest.objects.filter(undoes=request.pk).count()
    return propose(
        principal, offer.action.name, arguments,
        proposal_key=f"undo:{request.pk}:{earlier}", conversation_id=request.conversation_id, undoes=request.pk,
    )  # fmt: skip


def _own(principal: Principal, request_id: UUID) -> tuple[ActionRequest, Offer]:
    request: ActionRequest | None = ActionRequest.objects.filter(
        pk=request_id, customer_id=principal.customer_id
    ).first()
    if request is None:
        raise NotFound()
    offer = _offered(request)
    if offer is None or undone_by(request, (State.SUCCEEDED,)):
        raise CannotUndo()
    return request, offer


def _offered(request: ActionRequest) -> Offer | None:
    made = action_as_made(request.action, request.spec_version) if request.state == State.SUCCEEDED else None
    if not isinstance(made, WriteAction) or made.undo is None:
        return None
    action, until = action_in_force(made.undo.action), request.changed_at + timedelta(hours=made.undo.within_hours)
    if not isinstance(action, WriteAction) or now() >= until or action.name not in enabled_actions():
        return None
    return Offer(action, until)


def _arguments(request: ActionRequest, offer: Offer, identity: Identity) -> Mapping[str, Any]:
    made = action_as_made(request.action, request.spec_version)
    assert isinstance(made, WriteAction)  # it has been offered
    told = made.undo_arguments(request.arguments, request.receipt or {}, identity)
    if told is not None:
        return told
    return {name: request.arguments[name] for name in offer.action.arguments.all_fields if name in request.arguments}
