"""The services of actions: look up, propose, confirm, decline, approve, reject, cancel, settle by hand.

A model can only call `run_read` and `propose`. A request runs only after its own customer has confirmed exactly what
was shown, and after a person with the right has approved it if the policy requires that. Each step is one transaction,
with its audit entry and its announcement.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from actions import audit, ledger
from actions.approvers import may_approve
from actions.audit import actor_of, record_refusal
from actions.canonical_json import is_same_digest
from actions.errors import (
    AlreadySent,
    DigestMismatch,
    Expired,
    MerchantUnavailable,
    NeedsAnotherPerson,
    NotApprover,
    NotSignedIn,
    NotWaiting,
    OwnRequest,
    SwitchedOff,
)
from actions.facts import Records
from actions.lookup_refusals import read_refused, requests_of
from actions.models import ActionRequest
from actions.outcomes import OutcomeKind
from actions.policy_store import policy_of, rules_of
from actions.principals import Principal
from actions.reasons import Reason, rejection, settlement
from actions.registry import approval_role, read_action
from actions.requests.calls_in_progress import is_in_progress, is_overdue
from actions.requests.execution import forget_command, may_have_moved, outcome_kind
from actions.requests.intent_parsing import parse_intent
from actions.requests.proposing import Preview, preview, propose
from actions.requests.reevaluation import gather_again, is_judged, judge_anew, lapse_reason, money_in, reevaluate
from actions.requests.rule_decision import decide_read
from actions.requests.transitions import APPROVAL_LIFE, TOPIC, expire, lock_request, transition
from actions.requests.undo_window import in_window
from actions.selectors import unsettled_requests
from actions.spec import Requests
from actions.states import WITHDRAWABLE, State
from supportbot.accounts.models import ApiKey, Customer, Membership, User
from supportbot.errors import NotFound, SupportBotError
from supportbot.outbox.services import announce

__all__ = [
    "Preview", "approve", "cancel", "confirm", "decline", "preview", "propose", "reject", "run_read",
    "settle_by_hand",
]  # fmt: skip
Finding = Literal["happened", "did_not"]


def run_read(
    principal: Principal,
    action: str,
    arguments: str | Mapping[str, Any],
    *,
    conversation_id: UUID | None = None,
    requests: Requests | None = None,
) -> dict[str, Any]:
    """Return the result of a look-up, within about 5 s. Pass `requests` if they have already been used to find its
    records. Raises ReadRefused, InvalidArguments, NotSignedIn, UnknownAction or MerchantUnavailable.
    """
    intent = parse_intent(principal, action, arguments)
    spec = read_action(intent.action.name)
    made = requests or requests_of(principal, spec.name)
    reason = decide_read(rules_of(policy_of(spec.name))).reason
    found = reason or spec.look_up(intent.asked, intent.identity, made)
    if isinstance(found, Reason):
        raise read_refused(principal, spec.name, found)
    answer = spec.answer(found, unsettled_requests(principal.customer_id, principal.locale), principal.locale)
    if isinstance(answer, Reason):
        raise read_refused(principal, spec.name, answer)
    with transaction.atomic():
        audit.record(
            "read.answered", actor=principal.actor,
            action=spec.name, records=len(found), conversation=str(conversation_id or ""),
        )  # fmt: skip
    return answer


def confirm(request_id: UUID, *, principal: Principal, digest: str) -> ActionRequest:
    """Confirm the customer's own card, exactly as it was shown.

    Returns the request: queued, awaiting approval, or cancelled with the reason if the records or limits have changed.
    Raises NotFound for another customer's request, NotSignedIn without a fresh proof of identity, DigestMismatch,
    Expired, NotWaiting (each confirmation counts once) or MerchantUnavailable. After any of these errors, the card is
    unchanged.
    """
    request = _own(request_id, principal)
    try:
        _check_confirmation(request, principal, digest)
    except SupportBotError as error:
        record_refusal("confirm.refused", error, actor=principal.actor, request_id=request.pk)
        raise
    records = gather_again(request, replace(principal.identity(), locale=request.locale))
    return _confirm(request.pk, principal, digest, records)


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
def _confirm(request_id: UUID, principal: Principal, digest: str, records: Records | Reason) -> ActionRequest:
    request = lock_request(request_id)
    if request.state != State.AWAITING_CONFIRMATION or lapse_reason(request) is not None:
        raise NotWaiting()
    if not is_same_digest(digest, request.digest):
        raise DigestMismatch()
    ledger.lock()
    decision = reevaluate(request, records)
    if decision.is_refusal:
        return transition(request, State.CANCELLED, actor="policy", reason=decision.reason)
    ledger.reserve(request, money_in(request), now())
    confirmed: dict[str, Any] = {"confirmed_by": principal.actor, "needs_approval": decision.needs_approval}
    if decision.needs_approval:
        confirmed |= {
            "expires_at": in_window(request, now() + APPROVAL_LIFE), "judged_by": request.policy_version.number,
            "approvals_needed": decision.approvals,
        }  # fmt: skip
        return transition(request, State.AWAITING_APPROVAL, actor=principal.actor, **confirmed)
    return _queue(request, actor=principal.actor, **confirmed)


def _queue(request: ActionRequest, *, actor: str, **fields: Any) -> ActionRequest:
    """Queue a request to run immediately, or after the hold that the current rules require."""
    minutes = rules_of(policy_of(request.action)).hold_minutes
    due_at = now() + timedelta(minutes=minutes) if minutes else None
    return transition(request, State.QUEUED, actor=actor, expires_at=None, due_at=due_at, **fields)


def decline(request_id: UUID, *, principal: Principal) -> ActionRequest:
    """Decline the customer's own card, or withdraw a request that has not been sent yet.

    Raises NotFound, NotWaiting or AlreadySent.
    """
    return _withdraw(_own(request_id, principal).pk, actor=principal.actor, before_confirmation="declined")


@transaction.atomic
def _withdraw(request_id: UUID, *, actor: str, before_confirmation: str) -> ActionRequest:
    request = lock_request(request_id)
    if request.state not in WITHDRAWABLE:
        raise NotWaiting()
    if may_have_moved(request):  # queued again after an attempt whose outcome is unknown
        raise AlreadySent()
    reason = before_confirmation if request.state == State.AWAITING_CONFIRMATION else "withdrawn"
    return transition(request, State.CANCELLED, actor=actor, reason=Reason(reason), expires_at=None)


def approve(request_id: UUID, *, approver: User, digest: str) -> ActionRequest:
    """Approve a waiting request, exactly as it was shown. If two approvals are needed, the first one is recorded, and
    the request waits for another person's approval.

    Raises NotApprover if the person lacks the right on its policy; NeedsAnotherPerson for a second approval by the same
    person; OwnRequest for a person with a conflict of interest, superusers included; DigestMismatch if the request is
    not what was shown; NotWaiting if someone decided first; Expired if it has expired or changed rules now refuse it;
    SwitchedOff; MerchantUnavailable if new rules need records to judge it.
    """
    _check_decider(request_id, approver)
    try:
        return _approve(request_id, approver, digest)
    except (DigestMismatch, MerchantUnavailable, NeedsAnotherPerson, NotWaiting, SwitchedOff) as error:
        record_refusal("approve.refused", error, actor=actor_of(approver), request_id=request_id)
        raise


def _approve(request_id: UUID, approver: User, digest: str) -> ActionRequest:
    judge_anew(request_id)
    _check_waiting(_request(request_id), State.AWAITING_APPROVAL)
    with transaction.atomic():
        request = lock_request(request_id)
        if request.state != State.AWAITING_APPROVAL or lapse_reason(request) is not None:
            raise NotWaiting()
        if not is_same_digest(digest, request.digest):
            raise DigestMismatch()
        if not rules_of(policy_of(request.action)).is_enabled:
            raise SwitchedOff()
        if not is_judged(request):
            raise MerchantUnavailable()
        decider = actor_of(approver)
        if request.approvals_needed > 1 and not _has_first_approval(request, approver):
            return _approve_first(request, decider)
        return _queue(request, actor=decider, decided_by=decider)


def _has_first_approval(request: ActionRequest, approver: User) -> bool:
    """Return whether another person, who may still decide, has already approved the request. Raises NeedsAnotherPerson
    if this approver has.
    """
    if request.first_approved_by == actor_of(approver):
        raise NeedsAnotherPerson()
    first = first_approver(request)
    return first is not None and may_decide(request, first)


def first_approver(request: ActionRequest) -> User | None:
    """Return the first approver of a request that two people must approve."""
    _, _, key = request.first_approved_by.partition("user:")
    found: User | None = User.objects.filter(pk=key).first() if key else None
    return found


def _approve_first(request: ActionRequest, decider: str) -> ActionRequest:
    request.first_approved_by, request.first_approved_at = decider, now()
    request.save(update_fields=["first_approved_by", "first_approved_at"])
    audit.record("approval.first", actor=decider, request_id=request.pk, digest=request.digest)
    announce(TOPIC, request.pk, workspace_id=request.workspace_pk)
    return request


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
        decider = actor_of(approver)
        return transition(request, State.REJECTED, actor=decider, decided_by=decider, reason=reason)


def cancel(request_id: UUID, *, canceller: User) -> ActionRequest:
    """Withdraw a request that has not been sent yet, on behalf of a person with the right to decide on it.

    Raises NotApprover, NotWaiting or AlreadySent.
    """
    _check_right(request_id, canceller)
    # "declined" would tell the customers that they declined it themselves.
    return _withdraw(request_id, actor=actor_of(canceller), before_confirmation="withdrawn")


def settle_by_hand(request_id: UUID, *, outcome: Finding, person: User, note: str = "") -> ActionRequest:
    """Settle a request with an unknown outcome, on behalf of a person who has found out what happened. The note is for
    the team.

    Raises NotApprover if the person lacks the right on its policy; OwnRequest for a person with a conflict of interest;
    NotWaiting if the outcome is known by now, or if the finding is that nothing happened while the call is still being
    retried or carried out; InvalidInput for an invalid note.
    """
    _check_decider(request_id, person)
    reason = settlement(happened=outcome == "happened", note=note)
    with transaction.atomic():
        request = lock_request(request_id)
        if request.state != State.UNKNOWN:
            raise NotWaiting(gettext("Nobody needs to find out what happened to this request."))
        if outcome == "did_not" and (why := why_not_settled_as_not_done(request)):
            raise NotWaiting(why)
        forget_command(request)
        to = State.SUCCEEDED if outcome == "happened" else State.FAILED
        return transition(request, to, actor=actor_of(person), reason=reason, due_at=None)


def why_not_settled_as_not_done(request: ActionRequest) -> str:
    """Return why a request with an unknown outcome cannot yet be settled as not carried out; "" if it can."""
    if request.due_at and outcome_kind(request) is OutcomeKind.REPLAY_SAFE:
        return gettext("The call is still being retried, so it may still go through. Try again in an hour.")
    if is_in_progress(request) and not is_overdue(request):
        return gettext(
            "The connected system says that it is still working on it, so it may still go through. If it still says so "
            "24 hours after the call, you can settle it."
        )
    return ""


def _check_decider(request_id: UUID, person: User) -> None:
    request = _check_right(request_id, person)
    if is_conflict_of_interest(request, person):
        error = OwnRequest()
        record_refusal("approve.refused", error, actor=actor_of(person), request_id=request_id)
        raise error


def _check_right(request_id: UUID, person: User) -> ActionRequest:
    request = _request(request_id)
    if not may_decide(request, person):
        error = NotApprover()
        record_refusal("approve.refused", error, actor=actor_of(person), request_id=request_id)
        raise error
    return request


def may_decide(request: ActionRequest, person: User) -> bool:
    """Return whether a person has both the right on the request's policy and the role that its action requires."""
    policy = policy_of(request.action)
    if policy is None or not may_approve(person, policy):
        return False
    role = approval_role(request.action, request.spec_version)
    deciding = (role, Membership.Role.ADMIN)
    members = Membership.objects.filter(user=person, workspace_id=policy.workspace_pk)
    return not role or members.filter(role__in=deciding).exists()


def is_conflict_of_interest(request: ActionRequest, person: User) -> bool:
    """Return whether a request is the person's own: they made or confirmed it, or are its customer."""
    if {request.proposed_by, request.confirmed_by} & {actor_of(person), f"operator:{person.username}"}:
        return True
    if request.proposed_by.startswith("key:"):  # made by a program: it counts as made by the person its key acts as
        own = ApiKey.objects.filter(user=person)
        if request.proposed_by in {key.actor for key in own}:
            return True
    customer = Customer.objects.filter(pk=request.customer_id).first()
    return bool(customer and person.email and customer.email.casefold() == person.email.casefold())


def _request(request_id: UUID) -> ActionRequest:
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise NotFound()
    return request
