"""Carrying a queued request out: once, whatever is delivered twice or killed in between.

Invariants: the attempt row is written before anything is sent, and says so before the call; the key of the call is the
request's id, for every attempt; after an attempt that may have been sent, the merchant is asked by key before anything
is sent again; a result is written only by the attempt that still holds the lease.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeGuard
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions.connectors.port import DidNot, Found, Happened, Merchant, NeverSeen, Unclear, merchant, own_order
from actions.errors import MerchantUnavailable, NotConnected, NotWaiting
from actions.facts import Order
from actions.models import ActionRequest, Attempt
from actions.proposing import decision_about, spec_of
from actions.reasons import Reason
from actions.spec import Call
from actions.states import State
from actions.transitions import lock_request, move
from supportbot.accounts.models import Customer

# Longer than all deadlines of one attempt together: find, order, run, find.
LEASE: Final = timedelta(seconds=25)
MAX_ATTEMPTS: Final = 5
FIRST_LOOK: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The rules or the order's state say no at the last moment; nothing was sent."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Lost:
    """Another attempt took over: this one may neither send nor write."""


Result = Found | Blocked | Lost


def execute(request_id: UUID) -> None:
    """Run one queued request; a second delivery of the same message changes nothing."""
    attempt = claim(request_id)
    if attempt is not None:
        settle(attempt, _carry_out(attempt))


@transaction.atomic
def claim(request_id: UUID) -> Attempt | None:
    """Take a due request for one attempt, or return None: it is not queued, not due, or somebody else was first."""
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id, state=State.QUEUED).first()
    if request is None or (request.due_at is not None and request.due_at > now()):
        return None
    number = request.attempt_count + 1
    try:
        move(request, State.EXECUTING, actor="worker", attempt_count=number, lease_until=now() + LEASE, due_at=None)
    except NotWaiting:
        return None
    return Attempt.objects.create(request=request, number=number)


def _carry_out(attempt: Attempt) -> Result:
    request = attempt.request
    try:
        shop, was_sent = merchant(), may_have_moved(request)
        known = shop.find(str(request.pk)) if was_sent else NeverSeen()
        if not isinstance(known, NeverSeen):
            return known
        order = _own_order_now(shop, request)
    except (MerchantUnavailable, NotConnected) as error:
        return DidNot(error.code, error.message, is_final=False)
    command = _command(request, order)
    if isinstance(command, Reason):
        # It may be our own earlier attempt, arrived late, that stands in the way.
        return _by_key(shop, request, Unclear(command.code)) if was_sent else Blocked(command)
    return _send(shop, request, command, was_sent=was_sent) if _mark_sent(attempt) else Lost()


def _by_key(shop: Merchant, request: ActionRequest, unclear: Unclear) -> Found:
    """Ask what became of the key. "Never seen" is no proof yet: what was sent may still be on its way."""
    found = shop.find(str(request.pk))
    # Unclear twice: what is known of the call itself is kept.
    return unclear if isinstance(found, NeverSeen | Unclear) else found


def _own_order_now(shop: Merchant, request: ActionRequest) -> Order | Reason:
    customer = Customer.objects.filter(pk=request.customer_id).first()
    if customer is None or customer.external_id is None:  # forgotten meanwhile: nobody's order any more
        return Reason("order_not_found", {"order": request.order_id})
    return own_order(shop, request.order_id, customer.external_id)


def _command(request: ActionRequest, order: Order | Reason) -> Call | Reason:
    """Return what is to be sent, or what stands against it now."""
    obstacle = decision_about(request, order).reason
    if obstacle is not None:
        return obstacle
    spec = spec_of(request)
    assert spec is not None and isinstance(order, Order)  # else there was an obstacle
    return spec.call(request.arguments, order.customer)


def _mark_sent(attempt: Attempt) -> bool:
    """Write down that something may have moved from here on; False if the lease went to another attempt."""
    with transaction.atomic():
        request = lock_request(attempt.request_id)
        if not _holds(attempt, request):
            return False
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=now())
        return True


def _holds(attempt: Attempt, request: ActionRequest) -> bool:
    return request.state == State.EXECUTING and request.attempt_count == attempt.number


def _send(shop: Merchant, request: ActionRequest, command: Call, *, was_sent: bool) -> Found:
    outcome = shop.run(command, idempotency_key=str(request.pk))
    if isinstance(outcome, Unclear):
        return _by_key(shop, request, outcome)
    return _checked(shop, request, outcome, was_sent=was_sent) if _is_no(outcome) else outcome


def _is_no(outcome: Found) -> TypeGuard[DidNot]:
    return isinstance(outcome, DidNot) and outcome.is_final


def _checked(shop: Merchant, request: ActionRequest, refusal: DidNot, *, was_sent: bool) -> Found:
    """Ask by key before a no is believed: an earlier attempt, or work done before a gateway said no, shows there."""
    found = shop.find(str(request.pk))
    if isinstance(found, Happened | DidNot):
        return found
    return Unclear("refused", was_answered=True) if was_sent else refusal


@transaction.atomic
def settle(attempt: Attempt, result: Result) -> None:
    """Write an attempt's result, unless it lost its lease meanwhile."""
    request = lock_request(attempt.request_id)
    if isinstance(result, Lost) or not _holds(attempt, request):
        return
    _finish(attempt, result)
    if isinstance(result, Happened):
        succeed(request, result)
    elif isinstance(result, Blocked):
        fail(request, result.reason)
    elif isinstance(result, DidNot) and result.is_final:
        fail(request, refusal_of(result))
    else:
        _retry_or_park(request)


def _finish(attempt: Attempt, result: Result) -> None:
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
    # What has happened is told, also where the code no longer knows how to read the merchant's answer.
    receipt = spec.receipt(request.arguments, happened.result) if spec else {}
    move(request, State.SUCCEEDED, actor="merchant", receipt=receipt, lease_until=None, due_at=None)


def fail(request: ActionRequest, reason: Reason) -> None:
    """End a request of which it is certain that nothing has moved."""
    move(request, State.FAILED, actor="merchant", reason=reason, lease_until=None, due_at=None)


def refusal_of(refusal: DidNot) -> Reason:
    return Reason("merchant_refused", {"code": refusal.code, "message": refusal.message or refusal.code})


def _retry_or_park(request: ActionRequest) -> None:
    if request.attempt_count < MAX_ATTEMPTS:
        pause = timedelta(seconds=2 ** (request.attempt_count - 1))
        move(request, State.QUEUED, actor="worker", lease_until=None, due_at=now() + pause)
    elif may_have_moved(request):
        reason = Reason("outcome_unknown")
        move(request, State.UNKNOWN, actor="worker", reason=reason, lease_until=None, due_at=now() + FIRST_LOOK)
    else:
        fail(request, Reason("not_carried_out"))


def may_have_moved(request: ActionRequest) -> bool:
    """Say whether some attempt was sent whose outcome is not known to be nothing."""
    sent = Attempt.objects.filter(request_id=request.pk, sent_at__isnull=False)
    return sent.exclude(outcome=Attempt.Outcome.DID_NOT).exists()


@transaction.atomic
def recover(request_id: UUID) -> None:
    """Take up a request whose attempt went silent: its process died, or its lease ran out."""
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
