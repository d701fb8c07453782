"""Executing a queued request exactly once, even if messages are delivered twice or processes die in between.

Invariants: the attempt row is written before anything is sent, and marked as sent before the call; every attempt uses
the request's id as its idempotency key; after an attempt that may have been sent, the merchant is asked by key before
anything is sent again; only the attempt that still holds the lease writes a result.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions.connectors.port import DidNot, Found, Happened, Merchant, NeverSeen, Unclear, fetch_own_order, merchant
from actions.errors import MerchantUnavailable, NotConnected, NotWaiting
from actions.facts import Order
from actions.models import ActionRequest, Attempt
from actions.proposing import reevaluate, spec_of
from actions.reasons import Reason
from actions.spec import Call
from actions.states import State
from actions.transitions import lock_request, transition
from supportbot.accounts.models import Customer

# Longer than all deadlines of one attempt together: find, order, run, find.
LEASE: Final = timedelta(seconds=25)
MAX_ATTEMPTS: Final = 5
FIRST_RECHECK: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The rules or the order's state forbid it at the last moment; nothing was sent."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another attempt took over: this one may neither send nor write a result."""


Result = Found | Blocked | LeaseLost


def execute(request_id: UUID) -> None:
    """Run one queued request; a second delivery of the same message changes nothing."""
    attempt = claim(request_id)
    if attempt is not None:
        settle(attempt, _run_attempt(attempt))


@transaction.atomic
def claim(request_id: UUID) -> Attempt | None:
    """Claim a due request for one attempt; return None if it is not queued, not due, or already claimed."""
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id, state=State.QUEUED).first()
    if request is None or (request.due_at is not None and request.due_at > now()):
        return None
    number = request.attempt_count + 1
    try:
        transition(
            request, State.EXECUTING, actor="worker", attempt_count=number, lease_until=now() + LEASE, due_at=None
        )
    except NotWaiting:
        return None
    return Attempt.objects.create(request=request, number=number)


def _run_attempt(attempt: Attempt) -> Result:
    request = attempt.request
    try:
        shop, was_sent = merchant(), may_have_moved(request)
        known = shop.find(str(request.pk)) if was_sent else NeverSeen()
        if not isinstance(known, NeverSeen):
            return known
        order = _fetch_order(shop, request)
    except (MerchantUnavailable, NotConnected) as error:
        return DidNot(error.code, error.message, is_final=False)
    call = _build_call(request, order)
    if isinstance(call, Reason):
        # The obstacle may be our own earlier attempt, which arrived late.
        return _resolve_by_key(shop, request, Unclear(call.code)) if was_sent else Blocked(call)
    return _send(shop, request, call, was_sent=was_sent) if _mark_sent(attempt) else LeaseLost()


def _resolve_by_key(shop: Merchant, request: ActionRequest, unclear: Unclear) -> Found:
    """Ask for the outcome by key. "Never seen" proves nothing yet: the call may still be on its way."""
    found = shop.find(str(request.pk))
    # Unclear twice: keep what is known about the call itself.
    return unclear if isinstance(found, NeverSeen | Unclear) else found


def _fetch_order(shop: Merchant, request: ActionRequest) -> Order | Reason:
    customer = Customer.objects.filter(pk=request.customer_id).first()
    if customer is None or customer.external_id is None:  # erased meanwhile: the order has no owner any more
        return Reason("order_not_found", {"order": request.order_id})
    return fetch_own_order(shop, request.order_id, customer.external_id)


def _build_call(request: ActionRequest, order: Order | Reason) -> Call | Reason:
    """Return the call to send, or the reason why it is not allowed now."""
    obstacle = reevaluate(request, order).reason
    if obstacle is not None:
        return obstacle
    spec = spec_of(request)
    assert spec is not None and isinstance(order, Order)  # else there was an obstacle
    return spec.call(request.arguments, order.customer)


def _mark_sent(attempt: Attempt) -> bool:
    """Record that money may have moved from here on; return False if another attempt took the lease."""
    with transaction.atomic():
        request = lock_request(attempt.request_id)
        if not _holds_lease(attempt, request):
            return False
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=now())
        return True


def _holds_lease(attempt: Attempt, request: ActionRequest) -> bool:
    return request.state == State.EXECUTING and request.attempt_count == attempt.number


def _send(shop: Merchant, request: ActionRequest, call: Call, *, was_sent: bool) -> Found:
    outcome = shop.run(call, idempotency_key=str(request.pk))
    if isinstance(outcome, Unclear):
        return _resolve_by_key(shop, request, outcome)
    if isinstance(outcome, DidNot) and outcome.is_final:
        return _verify_refusal(shop, request, outcome, was_sent=was_sent)
    return outcome


def _verify_refusal(shop: Merchant, request: ActionRequest, refusal: DidNot, *, was_sent: bool) -> Found:
    """Ask by key before trusting a refusal: an earlier attempt or a gateway's error may hide work that was done."""
    found = shop.find(str(request.pk))
    if isinstance(found, Happened | DidNot):
        return found
    return Unclear("refused", was_answered=True) if was_sent else refusal


@transaction.atomic
def settle(attempt: Attempt, result: Result) -> None:
    """Store an attempt's result, unless it has lost its lease."""
    request = lock_request(attempt.request_id)
    if isinstance(result, LeaseLost) or not _holds_lease(attempt, request):
        return
    _record_outcome(attempt, result)
    if isinstance(result, Happened):
        succeed(request, result)
    elif isinstance(result, Blocked):
        fail(request, result.reason)
    elif isinstance(result, DidNot) and result.is_final:
        fail(request, refusal_reason(result))
    else:
        _retry_or_park(request)


def _record_outcome(attempt: Attempt, result: Result) -> None:
    match result:
        case Happened():
            outcome, detail = Attempt.Outcome.HAPPENED, ""
        case Blocked(reason):
            outcome, detail = Attempt.Outcome.DID_NOT, reason.code
        case DidNot(code):
            outcome, detail = Attempt.Outcome.DID_NOT, code
        case Unclear(cause):
            outcome, detail = Attempt.Outcome.UNCLEAR, cause
        case _:
            outcome, detail = Attempt.Outcome.UNCLEAR, ""
    was_answered = isinstance(result, Unclear) and result.was_answered
    Attempt.objects.filter(pk=attempt.pk).update(
        outcome=outcome, detail=detail[:200], was_answered=was_answered, finished_at=now()
    )


def succeed(request: ActionRequest, happened: Happened) -> None:
    spec = spec_of(request)
    # Success is recorded even if the code can no longer read the merchant's answer.
    receipt = spec.receipt(request.arguments, happened.result) if spec else {}
    transition(request, State.SUCCEEDED, actor="merchant", receipt=receipt, lease_until=None, due_at=None)


def fail(request: ActionRequest, reason: Reason) -> None:
    """Fail a request for which it is certain that nothing has moved."""
    transition(request, State.FAILED, actor="merchant", reason=reason, lease_until=None, due_at=None)


def refusal_reason(refusal: DidNot) -> Reason:
    return Reason("merchant_refused", {"code": refusal.code, "message": refusal.message or refusal.code})


def _retry_or_park(request: ActionRequest) -> None:
    if request.attempt_count < MAX_ATTEMPTS:
        pause = timedelta(seconds=2 ** (request.attempt_count - 1))
        transition(request, State.QUEUED, actor="worker", lease_until=None, due_at=now() + pause)
    elif may_have_moved(request):
        reason = Reason("outcome_unknown")
        transition(
            request, State.UNKNOWN, actor="worker", reason=reason, lease_until=None, due_at=now() + FIRST_RECHECK
        )
    else:
        fail(request, Reason("not_carried_out"))


def may_have_moved(request: ActionRequest) -> bool:
    """Return whether any attempt was sent and is not known to have done nothing."""
    sent = Attempt.objects.filter(request_id=request.pk, sent_at__isnull=False)
    return sent.exclude(outcome=Attempt.Outcome.DID_NOT).exists()


@transaction.atomic
def recover(request_id: UUID) -> None:
    """Recover a request whose attempt went silent: its process died, or its lease ran out."""
    request = lock_request(request_id)
    if request.state != State.EXECUTING or request.lease_until is None or request.lease_until > now():
        return
    silent = Attempt.objects.get(request_id=request.pk, number=request.attempt_count)
    Attempt.objects.filter(pk=silent.pk).update(
        outcome=Attempt.Outcome.UNCLEAR if silent.sent_at else Attempt.Outcome.DID_NOT,
        detail="the attempt went silent",
        finished_at=now(),
    )
    _retry_or_park(request)
