"""Executing a queued request exactly once, even if messages are delivered twice or processes die in between.

Invariants: the attempt row is written before anything is sent, and marked as sent before the call; every attempt uses
the request's id as its idempotency key; only the attempt that still holds the lease writes a result. After an attempt
that may have been sent, the next step depends on the action's `OutcomeKind`:
- status_lookup: the merchant is asked by key before anything is sent again;
- replay_safe: the same call is sent again with the same key and gets the answer to the first one. If five attempts
  bring no answer, the sweep repeats it for as long as a back end is certain to remember the key;
- at_most_once: nothing is ever sent again. A person finds out what happened and settles the request.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from actions.errors import MerchantUnavailable, NotConnected, NotWaiting
from actions.facts import Identity, Records
from actions.merchant_api.port import merchant
from actions.models import ActionRequest, Attempt
from actions.outcomes import BackEnd, DidNot, Found, Happened, NeverSeen, Outcome, OutcomeKind, Unclear
from actions.policy_store import policy_of, rules_of
from actions.reasons import Reason
from actions.registry import action_as_made, code_actions
from actions.requests.calls_in_progress import FIRST_RECHECK
from actions.requests.reevaluation import gather_again, reevaluate, spec_of
from actions.requests.transitions import lock_request, transition
from actions.selectors import approvals_given
from actions.spec import WriteAction
from actions.states import State
from supportbot.accounts.models import Customer
from supportbot.observing import span_descriptions, tracing

# Longer than all the deadlines of one attempt combined (find, records, run, find).
LEASE: Final = timedelta(seconds=25)
MAX_ATTEMPTS: Final = 5
BUSY_RECORD_PAUSE: Final = timedelta(seconds=2)  # before checking again whether another request uses the record
_SUBJECT_LOCK: Final = 20260714  # the first part of the advisory lock on a record; any otherwise unused number
# A repeated call needs no look-ups, so a slow back end may use their time too.
REPLAY_SECONDS: Final = 20.0
RECHECK_SECONDS: Final = 8.0  # for a call repeated by the sweep, while other requests wait
# For this long after the first call, a back end certainly remembers the key; keys are forgotten after a day or so.
REPLAY_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The rules or the record's state forbid the action at the last moment. Nothing was sent."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another attempt has taken over, so this one may neither send nor write a result."""


Result = Found | Blocked | LeaseLost


def execute(request_id: UUID) -> None:
    """Run one queued request; a second delivery of the same message changes nothing."""
    attempt = claim(request_id)
    if attempt is not None:
        with tracing.span(span_descriptions.action(attempt.request.action, request_id)):
            result = _run_attempt(attempt)
            tracing.describe_current({"supportbot.outcome": type(result).__name__})
            settle(attempt, result)


@transaction.atomic
def claim(request_id: UUID) -> Attempt | None:
    """Claim a due request for one attempt; return None if it is not queued, not due, or already claimed."""
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id, state=State.QUEUED).first()
    if request is None or (request.due_at is not None and request.due_at > now()):
        return None
    if _waits_for_another(request):
        return None
    number = request.attempt_count + 1
    try:
        transition(
            request, State.EXECUTING, actor="worker", attempt_count=number, lease_until=now() + LEASE, due_at=None
        )
    except NotWaiting:
        return None
    return Attempt.objects.create(request=request, number=number)


def _waits_for_another(request: ActionRequest) -> bool:
    """Postpone a request while another one about the same record is being carried out, and return whether it was
    postponed. It is then checked against records that show the other request's effect. Only one process at a time
    decides this for a record.
    """
    if not request.subject_id:
        return False
    key = f"{request.workspace_pk}:{request.subject_kind}:{request.subject_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_SUBJECT_LOCK, key])
    same = ActionRequest.objects.filter(subject_kind=request.subject_kind, subject_id=request.subject_id)
    if not same.filter(state=State.EXECUTING).exclude(pk=request.pk).exists():
        return False
    ActionRequest.objects.filter(pk=request.pk, state=State.QUEUED).update(due_at=now() + BUSY_RECORD_PAUSE)
    return True


def _run_attempt(attempt: Attempt) -> Result:
    request = attempt.request
    was_sent, kind = may_have_moved(request), outcome_kind(request)
    if was_sent and kind is not OutcomeKind.STATUS_LOOKUP:
        return _replay(attempt) if kind is OutcomeKind.REPLAY_SAFE else Unclear("never sent twice")
    try:
        system = back_end_of(request)
        known = system.find(str(request.pk)) if was_sent else NeverSeen()
        if not isinstance(known, NeverSeen):
            return known
        records = _gather(request)
    except (MerchantUnavailable, NotConnected) as error:
        return DidNot(error.code, error.message, is_final=False)
    command = _command(request, records)
    if isinstance(command, Reason):
        # The obstacle may come from our own earlier attempt, which arrived late.
        return _resolve_by_key(system, request, Unclear(command.code)) if was_sent else Blocked(command)
    if kind is not OutcomeKind.STATUS_LOOKUP:
        return _send_once(system, attempt, command)
    return _send(system, request, command, was_sent=was_sent) if _mark_sent(attempt) else LeaseLost()


def _send_once(system: BackEnd, attempt: Attempt, command: Any) -> Result:
    """Send a call whose outcome cannot be looked up; if it may be repeated, keep exactly what was sent."""
    spec = spec_of(attempt.request)
    is_replayed = spec is not None and spec.outcome is OutcomeKind.REPLAY_SAFE
    sent = spec.command_as_json(command) if spec is not None and is_replayed else None
    if not _mark_sent(attempt, command=sent):
        return LeaseLost()
    return system.run(command, idempotency_key=str(attempt.request_id))


def _replay(attempt: Attempt) -> Result:
    """Send the first call again, byte for byte and with the same key. The records are not judged again: they may
    already show what the first call did. The call is stopped only if the action has been switched off or withdrawn.
    """
    return _repeated(attempt.request, REPLAY_SECONDS) if _mark_sent(attempt) else LeaseLost()


def _repeated(request: ActionRequest, seconds: float) -> Outcome:
    spec, first = made_with(request), _first_sent(request)
    is_allowed = may_find_out(request) and rules_of(policy_of(request.action)).is_enabled
    if spec is None or first is None or not is_allowed:
        return Unclear("not sent again")
    try:
        system = spec.back_end(request.arguments, request.locale)
    except NotConnected as error:
        return DidNot(error.code, error.message, is_final=False)
    command = spec.command_from_json(first.command or {}, seconds=seconds)
    return system.run(command, idempotency_key=str(request.pk))


def _first_sent(request: ActionRequest) -> Attempt | None:
    """Return the attempt that contains the call to repeat."""
    found: Attempt | None = (
        Attempt.objects.filter(request_id=request.pk, command__isnull=False).order_by("number").first()
    )
    return found


def find_out(request: ActionRequest) -> Found:
    """Find out what became of a request with an unknown outcome: by repeating the call if that is safe, otherwise by
    key.
    """
    if outcome_kind(request) is OutcomeKind.REPLAY_SAFE:
        return _repeated(request, RECHECK_SECONDS)
    try:
        return back_end_of(request).find(str(request.pk))
    except NotConnected as error:
        return DidNot(error.code, error.message, is_final=False)


def may_find_out(request: ActionRequest) -> bool:
    """Return whether a request's outcome can still be determined without human help."""
    match outcome_kind(request):
        case OutcomeKind.AT_MOST_ONCE:
            return False
        case OutcomeKind.REPLAY_SAFE:
            first = _first_sent(request)
            return first is not None and first.sent_at is not None and now() < first.sent_at + REPLAY_FOR
    return True


def outcome_kind(request: ActionRequest) -> OutcomeKind:
    """Return how an unclear outcome of this request is resolved."""
    spec = made_with(request)
    return spec.outcome if spec else OutcomeKind.STATUS_LOOKUP


def back_end_of(request: ActionRequest) -> BackEnd:
    """Return the system that a request was or will be sent to. Raises NotConnected if there is none, or if this release
    cannot read the request's definition: the built-in merchant must not be asked instead, since it has never seen the
    request.
    """
    spec = made_with(request)
    if spec is not None:
        return spec.back_end(request.arguments, request.locale)
    if request.action not in code_actions():
        raise NotConnected()
    return merchant()


def made_with(request: ActionRequest) -> WriteAction | None:
    """Return the action version that the request was made with, published or not; None if it is gone."""
    spec = action_as_made(request.action, request.spec_version)
    return spec if isinstance(spec, WriteAction) else None


def _resolve_by_key(system: BackEnd, request: ActionRequest, unclear: Unclear) -> Found:
    """Look up the outcome by key. "Never seen" proves nothing yet: the call may still be on its way."""
    found = system.find(str(request.pk))
    if isinstance(found, Unclear) and found.is_in_progress:
        return found
    # If the look-up is inconclusive, too, keep what is known about the call itself.
    return unclear if isinstance(found, NeverSeen | Unclear) else found


def _gather(request: ActionRequest) -> Records | Reason:
    customer = Customer.objects.filter(pk=request.customer_id).first()
    if customer is None or customer.external_id is None:  # erased: the records no longer have an owner
        spec = made_with(request)
        return spec.no_records(request.arguments) if spec else Reason("policy_changed")
    return gather_again(request, Identity(customer.external_id, customer.email, request.locale))


def _command(request: ActionRequest, records: Records | Reason) -> Any | Reason:
    """Return the command to send, or the reason why it is not allowed now."""
    decision = reevaluate(request, records)
    if decision.reason is not None:
        return decision.reason
    # The rules may have become stricter after the customer confirmed, especially while a request is held back.
    if decision.approvals > approvals_given(request):
        return Reason("approval_needed")
    spec = spec_of(request)
    assert spec is not None and isinstance(records, Records)  # otherwise there was an obstacle
    return spec.command(request.arguments, records, key=str(request.pk))


def _mark_sent(attempt: Attempt, *, command: dict[str, Any] | None = None) -> bool:
    """Record that money may move from now on; return False if another attempt has taken the lease."""
    with transaction.atomic():
        request = lock_request(attempt.request_id)
        if not _holds_lease(attempt, request):
            return False
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=now(), command=command)
        return True


def _holds_lease(attempt: Attempt, request: ActionRequest) -> bool:
    return request.state == State.EXECUTING and request.attempt_count == attempt.number


def _send(system: BackEnd, request: ActionRequest, command: Any, *, was_sent: bool) -> Found:
    outcome = system.run(command, idempotency_key=str(request.pk))
    if isinstance(outcome, Unclear):
        return _resolve_by_key(system, request, outcome)
    if isinstance(outcome, DidNot) and outcome.is_final:
        return _verify_refusal(system, request, outcome, was_sent=was_sent)
    return outcome


def _verify_refusal(system: BackEnd, request: ActionRequest, refusal: DidNot, *, was_sent: bool) -> Found:
    """Look up the outcome by key before trusting a refusal: an earlier attempt or a gateway's error may hide work that
    was done, or is still being done.
    """
    found = system.find(str(request.pk))
    if isinstance(found, Happened | DidNot) or (isinstance(found, Unclear) and found.is_in_progress):
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
    elif isinstance(result, Unclear) and result.is_in_progress:
        _park(request, Reason("in_progress"), due_at=now() + FIRST_RECHECK)
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
    is_in_progress = isinstance(result, Unclear) and result.is_in_progress
    Attempt.objects.filter(pk=attempt.pk).update(
        outcome=outcome,
        detail=detail[:200],
        was_answered=was_answered,
        is_in_progress=is_in_progress,
        in_progress_at=now() if is_in_progress else None,
        finished_at=now(),
    )


def succeed(request: ActionRequest, happened: Happened) -> None:
    spec = made_with(request)
    # Success is recorded even if the code can no longer read the merchant's answer.
    can_read = spec is not None and spec.version == request.spec_version
    receipt = spec.receipt(request.arguments, happened.result) if spec is not None and can_read else {}
    forget_command(request)
    transition(request, State.SUCCEEDED, actor="merchant", receipt=receipt, lease_until=None, due_at=None)


def fail(request: ActionRequest, reason: Reason) -> None:
    """Fail a request when it is certain that nothing has been done."""
    forget_command(request)
    transition(request, State.FAILED, actor="merchant", reason=reason, lease_until=None, due_at=None)


def forget_command(request: ActionRequest) -> None:
    """Delete the stored call: it will not be repeated."""
    Attempt.objects.filter(request_id=request.pk, command__isnull=False).update(command=None)


def refusal_reason(refusal: DidNot) -> Reason:
    return Reason("merchant_refused", {"code": refusal.code, "message": refusal.message or refusal.code})


def _retry_or_park(request: ActionRequest) -> None:
    has_moved = may_have_moved(request)
    is_over = has_moved and outcome_kind(request) is OutcomeKind.AT_MOST_ONCE
    if request.attempt_count < MAX_ATTEMPTS and not is_over:
        pause = timedelta(seconds=2 ** (request.attempt_count - 1))
        transition(request, State.QUEUED, actor="worker", lease_until=None, due_at=now() + pause)
    elif not has_moved:
        fail(request, Reason("not_carried_out"))
    elif may_find_out(request):
        _park(request, Reason("outcome_unknown"), due_at=now() + FIRST_RECHECK)
    else:  # no system can be asked: without a time, no sweep picks the request up
        _park(request, Reason("outcome_with_person"), due_at=None)


def _park(request: ActionRequest, reason: Reason, *, due_at: datetime | None) -> None:
    transition(request, State.UNKNOWN, actor="worker", reason=reason, lease_until=None, due_at=due_at)


def may_have_moved(request: ActionRequest) -> bool:
    """Return whether any attempt was sent and may have done something."""
    sent = Attempt.objects.filter(request_id=request.pk, sent_at__isnull=False)
    return sent.exclude(outcome=Attempt.Outcome.DID_NOT).exists()


@transaction.atomic
def recover(request_id: UUID) -> None:
    """Recover a request whose attempt has gone silent: its process died, or its lease expired."""
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
