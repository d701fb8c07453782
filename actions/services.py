"""The services of actions: look up, propose, confirm, decline, approve, reject, cancel.

A model can only call `run_read` and `propose`. A request runs only after its own customer has confirmed exactly what
was shown, and after a person with the right has approved it if the policy requires that. Each step is one transaction,
with its audit entry and its announcement.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions import audit, ledger
from actions.audit import record_refusal
from actions.canonical import is_same_digest
from actions.connectors.port import fetch_own_order, merchant
from actions.errors import (
    AlreadySent,
    DigestMismatch,
    Expired,
    NotApprover,
    NotSignedIn,
    NotWaiting,
    OwnRequest,
    ReadRefused,
    SwitchedOff,
)
from actions.execution import may_have_moved
from actions.facts import Order
from actions.intents import parse_intent
from actions.models import ActionRequest, name_of
from actions.policies import may_approve, policy_of, rules_of
from actions.policy import decide_read
from actions.principals import Principal
from actions.proposing import Preview, lapse_reason, money_in, preview, propose, reevaluate
from actions.reasons import Reason, rejection, sentence
from actions.registry import read_action
from actions.selectors import unsettled_requests
from actions.states import WITHDRAWABLE, State
from actions.transitions import APPROVAL_LIFE, lock_request, transition
from supportbot.accounts.models import Customer, User
from supportbot.errors import NotFound, SupportBotError

__all__ = [
    "Preview", "approve", "cancel", "confirm", "decline", "preview", "propose", "reject", "run_read",
]  # fmt: skip


def run_read(
    principal: Principal, action: str, arguments: str | Mapping[str, Any], *, conversation_id: UUID | None = None
) -> dict[str, Any]:
    """Return the result of a look-up, within about 5 s. Raises ReadRefused, InvalidArguments, NotSignedIn,
    UnknownAction or MerchantUnavailable."""
    intent = parse_intent(principal, action, arguments)
    spec = read_action(intent.action.name)
    reason = decide_read(rules_of(policy_of(spec.name))).reason
    found = reason or _orders(intent.asked.get("order_id"), intent.merchant_id)
    if isinstance(found, Reason):
        error = ReadRefused(found.code, sentence(found, principal.locale))
        record_refusal("read.refused", error, actor=principal.actor, action=spec.name, reason=found.code)
        raise error
    with transaction.atomic():
        audit.record(
            "read.answered", actor=principal.actor,
            action=spec.name, orders=len(found), conversation=str(conversation_id or ""),
        )  # fmt: skip
    return spec.answer(found, unsettled_requests(principal.customer_id, principal.locale), principal.locale)


def _orders(order_id: str | None, merchant_id: str) -> tuple[Order, ...] | Reason:
    if order_id is None:
        # Never trust the merchant's list to hold only this customer's orders.
        return tuple(order for order in merchant().orders_of(merchant_id) if order.customer == merchant_id)
    order = fetch_own_order(merchant(), order_id, merchant_id)
    return order if isinstance(order, Reason) else (order,)


def confirm(request_id: UUID, *, principal: Principal, digest: str) -> ActionRequest:
    """Confirm the customer's own card, exactly as it was shown.

    Returns the request: queued, awaiting approval, or cancelled with the reason if the order or limits have changed.
    Raises NotFound for another customer's request, NotSignedIn without a fresh proof of identity, DigestMismatch,
    Expired, NotWaiting (each confirmation counts once) or MerchantUnavailable; the card then stays as it was.
    """
    request = _own(request_id, principal)
    try:
        _check_confirmation(request, principal, digest)
    except SupportBotError as error:
        record_refusal("confirm.refused", error, actor=principal.actor, request_id=request.pk)
        raise
    order = fetch_own_order(merchant(), request.order_id, principal.merchant_id())
    return _confirm(request.pk, principal, digest, order)


def _own(request_id: UUID, principal: Principal) -> ActionRequest:
    own = ActionRequest.objects.filter(pk=request_id, customer_id=principal.customer_id)
    request: ActionRequest | None = own.select_related("policy_version").first()
    if request is None:
        error = NotFound()
        record_refusal("request.not_theirs", error, actor=principal.actor, asked_for=str(request_id))
        raise error
    return request


def _check_confirmation(request: ActionRequest, principal: Principal, digest: str) -> None:
    if not principal.is_fresh(now()):
        raise NotSignedIn()
    _check_waiting(request, State.AWAITING_CONFIRMATION)
    if not is_same_digest(digest, request.digest):
        raise DigestMismatch()


def _check_waiting(request: ActionRequest, state: State) -> None:
    if request.state == State.EXPIRED:
        raise Expired()
    if request.state != state:
        raise NotWaiting()
    reason = lapse_reason(request)
    if reason is not None:
        expire(request.pk, reason)
        raise Expired()


@transaction.atomic
def expire(request_id: UUID, reason: Reason) -> None:
    """Expire a request that has waited too long; has no effect once someone has decided."""
    request = lock_request(request_id)
    if request.state in (State.AWAITING_CONFIRMATION, State.AWAITING_APPROVAL):
        transition(request, State.EXPIRED, actor="system", reason=reason)


@transaction.atomic
def _confirm(request_id: UUID, principal: Principal, digest: str, order: Order | Reason) -> ActionRequest:
    request = lock_request(request_id)
    if request.state != State.AWAITING_CONFIRMATION or lapse_reason(request) is not None:
        raise NotWaiting()
    if not is_same_digest(digest, request.digest):
        raise DigestMismatch()
    ledger.lock()
    decision = reevaluate(request, order)
    if decision.is_refusal:
        return transition(request, State.CANCELLED, actor="policy", reason=decision.reason)
    ledger.reserve(request, money_in(request), now())
    confirmed: dict[str, Any] = {"confirmed_by": principal.actor, "needs_approval": decision.needs_approval}
    if decision.needs_approval:
        deadline = now() + APPROVAL_LIFE
        return transition(request, State.AWAITING_APPROVAL, actor=principal.actor, expires_at=deadline, **confirmed)
    return transition(request, State.QUEUED, actor=principal.actor, expires_at=None, **confirmed)


def decline(request_id: UUID, *, principal: Principal) -> ActionRequest:
    """Decline the customer's own card, or withdraw a request that has not been sent yet.

    Raises NotFound, NotWaiting or AlreadySent.
    """
    return _withdraw(_own(request_id, principal).pk, actor=principal.actor)


@transaction.atomic
def _withdraw(request_id: UUID, *, actor: str) -> ActionRequest:
    request = lock_request(request_id)
    if request.state not in WITHDRAWABLE:
        raise NotWaiting()
    if may_have_moved(request):  # queued again after an attempt whose outcome is unknown
        raise AlreadySent()
    reason = "declined" if request.state == State.AWAITING_CONFIRMATION else "withdrawn"
    return transition(request, State.CANCELLED, actor=actor, reason=Reason(reason), expires_at=None)


def approve(request_id: UUID, *, approver: User, digest: str) -> ActionRequest:
    """Approve a waiting request, exactly as it was shown.

    Raises NotApprover without the right on its policy; OwnRequest for a person with a conflict of interest, superusers
    included; DigestMismatch if it is not what was shown; NotWaiting if someone decided first; Expired; SwitchedOff.
    """
    _check_decider(request_id, approver)
    try:
        return _approve(request_id, approver, digest)
    except (DigestMismatch, NotWaiting, SwitchedOff) as error:
        record_refusal("approve.refused", error, actor=name_of(approver), request_id=request_id)
        raise


def _approve(request_id: UUID, approver: User, digest: str) -> ActionRequest:
    _check_waiting(_request(request_id), State.AWAITING_APPROVAL)
    with transaction.atomic():
        request = lock_request(request_id)
        if request.state != State.AWAITING_APPROVAL or lapse_reason(request) is not None:
            raise NotWaiting()
        if not is_same_digest(digest, request.digest):
            raise DigestMismatch()
        if not rules_of(policy_of(request.action)).is_enabled:
            raise SwitchedOff()
        decider = name_of(approver)
        return transition(request, State.QUEUED, actor=decider, decided_by=decider, expires_at=None)


def reject(request_id: UUID, *, approver: User, words: str = "", note: str = "") -> ActionRequest:
    """Reject a waiting request, with words for the customer or a note that only the team reads.

    Raises NotApprover, OwnRequest, NotWaiting, or InvalidInput for an invalid text.
    """
    _check_decider(request_id, approver)
    reason = rejection(words=words, note=note)
    with transaction.atomic():
        request = lock_request(request_id)
        if request.state != State.AWAITING_APPROVAL:
            raise NotWaiting()
        decider = name_of(approver)
        return transition(request, State.REJECTED, actor=decider, decided_by=decider, reason=reason)


def cancel(request_id: UUID, *, canceller: User) -> ActionRequest:
    """Withdraw a request that has not been sent yet, as a person with the right to decide on it.

    Raises NotApprover, NotWaiting or AlreadySent.
    """
    _check_right(request_id, canceller)
    return _withdraw(request_id, actor=name_of(canceller))


def _check_decider(request_id: UUID, person: User) -> None:
    request = _check_right(request_id, person)
    if is_conflict_of_interest(request, person):
        error = OwnRequest()
        record_refusal("approve.refused", error, actor=name_of(person), request_id=request_id)
        raise error


def _check_right(request_id: UUID, person: User) -> ActionRequest:
    request = _request(request_id)
    policy = policy_of(request.action)
    if policy is None or not may_approve(person, policy):
        error = NotApprover()
        record_refusal("approve.refused", error, actor=name_of(person), request_id=request_id)
        raise error
    return request


def is_conflict_of_interest(request: ActionRequest, person: User) -> bool:
    """Return whether a request is the person's own: they made or confirmed it, or are its customer."""
    if {request.proposed_by, request.confirmed_by} & {name_of(person), f"operator:{person.username}"}:
        return True
    customer = Customer.objects.filter(pk=request.customer_id).first()
    return bool(customer and person.email and customer.email.casefold() == person.email.casefold())


def _request(request_id: UUID) -> ActionRequest:
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise NotFound()
    return request
