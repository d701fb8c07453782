"""Stored requests are judged by the rules in force and freshly read records, not by the rules they were made under:
when they are confirmed, before they run, and while they wait.

A change of rules ends every unconfirmed card. A request waiting for approval is judged again: if the rules now refuse
it, it ends with their reason; otherwise, it keeps waiting. The rows alone show which requests to judge, so lost
messages or killed processes cannot leave one behind.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils.timezone import now

from actions import audit, ledger
from actions.definitions.models import ActionDefinition
from actions.errors import MerchantUnavailable, NotConnected
from actions.facts import Facts, Identity, Records, Subject
from actions.models import ActionPolicy, ActionPolicyVersion, ActionRequest
from actions.money import Money
from actions.policy_store import policy_of, rules_of
from actions.reasons import Reason
from actions.registry import code_actions, write_action
from actions.requests.rule_decision import Decision, Rules, Verdict, bounded, decide_write
from actions.requests.transitions import expire, transition
from actions.requests.undo_window import is_too_late
from actions.spec import WriteAction
from actions.states import WAITING, State
from supportbot.accounts.models import Customer

# When to try again if the records cannot be read; also how long one process has exclusive use of a request.
RETRY_AFTER: Final = timedelta(seconds=30)


def unjudged() -> Q:
    """Return the query condition for waiting requests made under other rules or with a changed action."""
    policy = ActionPolicy.objects.filter(workspace=OuterRef("workspace"), action=OuterRef("action"))
    defined = ActionDefinition.objects.filter(workspace=OuterRef("workspace"), name=OuterRef("action"))
    in_force = Q(state=ActionDefinition.State.PUBLISHED, current__number=OuterRef("spec_version"))
    changed = Q(Exists(defined.exclude(in_force)))
    for action in code_actions().values():
        changed |= Q(action=action.name) & ~Q(spec_version=action.version)
    card = Q(state=State.AWAITING_CONFIRMATION) & ~Q(policy_version=Subquery(policy.values("current")))
    # While a policy is switched off, its approvals wait without ending; they are judged when it is switched on again.
    other_rules = policy.filter(is_enabled=True).exclude(current__number=OuterRef("judged_by"))
    approval = Q(state=State.AWAITING_APPROVAL) & Q(Exists(other_rules)) & (Q(due_at=None) | Q(due_at__lte=now()))
    return card | approval | (Q(state__in=WAITING) & changed)


def judge_anew(request_id: UUID) -> None:
    """Judge a waiting request by the rules in force. If they need its records and these cannot be read, try again
    later.
    """
    request: ActionRequest | None = ActionRequest.objects.filter(pk=request_id, state__in=WAITING).first()
    if request is None:
        return
    lapsed = lapse_reason(request)
    if lapsed is not None:
        expire(request_id, lapsed)
    elif request.state == State.AWAITING_APPROVAL:
        rules = rules_of(policy_of(request.action))
        if request.judged_by == rules.number:
            return
        try:
            records = _gather(request) if _asks_for_records(request, rules) else None
        except (MerchantUnavailable, NotConnected):
            return
        _judge(request_id, records, rules.number)


def is_judged(request: ActionRequest) -> bool:
    """Return whether the request was last judged by the rules in force."""
    return request.judged_by == rules_of(policy_of(request.action)).number


def _asks_for_records(request: ActionRequest, rules: Rules) -> bool:
    """Return whether a rule that depends on records has changed; all others are about amounts and numbers."""
    versions = ActionPolicyVersion.objects.filter(policy__action=request.action, number=request.judged_by)
    before = versions.values_list("window_days", flat=True).first()
    return rules.window_days is not None and rules.window_days != before


def _gather(request: ActionRequest) -> Records | Reason | None:
    ActionRequest.objects.filter(pk=request.pk, state=State.AWAITING_APPROVAL).update(due_at=now() + RETRY_AFTER)
    customer = Customer.objects.filter(pk=request.customer_id).first()
    if customer is None or customer.external_id is None:  # erased: it will be refused right before it is sent
        return None
    return gather_again(request, Identity(customer.external_id, customer.email, request.locale))


@transaction.atomic
def _judge(request_id: UUID, records: Records | Reason | None, number: int) -> None:
    """Judge a waiting request by this version of the rules; if there is a newer version by now, the next sweep handles
    the request.
    """
    waiting = ActionRequest.objects.select_for_update(no_key=True, skip_locked=True)
    request: ActionRequest | None = waiting.filter(pk=request_id, state=State.AWAITING_APPROVAL).first()
    rules = rules_of(policy_of(request.action)) if request else None
    if request is None or rules is None:  # decided, or being decided, at this moment
        return
    if rules.number != number or not rules.is_enabled:
        return
    ledger.lock()
    decision = decide_by_rules(request) if records is None else reevaluate(request, records)
    audit.record(
        "approval.judged", actor="policy", request_id=request.pk, policy=rules.number, verdict=str(decision.verdict)
    )
    if decision.is_refusal:
        transition(request, State.EXPIRED, actor="policy", reason=decision.reason, due_at=None)
    else:
        needed = max(decision.approvals, _asked_by_action(request) if records is None else 1)
        ActionRequest.objects.filter(pk=request.pk).update(judged_by=rules.number, approvals_needed=needed, due_at=None)


def _asked_by_action(request: ActionRequest) -> int:
    """Return how many approvals the action itself may have required; without the records, this cannot be recomputed."""
    spec = spec_of(request)
    return min(spec.approvals, request.approvals_needed) if spec else 1


def gather_again(request: ActionRequest, identity: Identity) -> Records | Reason:
    """Return the freshly read records of a stored request. Raises MerchantUnavailable or NotConnected."""
    spec = spec_of(request)
    if spec is None:
        return Reason("policy_changed")
    return gathered(spec, request.arguments, identity, is_undo=request.undoes is not None)


def gathered(spec: WriteAction, arguments: Mapping[str, Any], identity: Identity, *, is_undo: bool) -> Records | Reason:
    """Return the records that a request depends on; they are marked if the request undoes another one. Raises
    MerchantUnavailable or NotConnected.
    """
    found = spec.gather(arguments, identity)
    return found if isinstance(found, Reason) else replace(found, is_undo=is_undo)


def reevaluate(request: ActionRequest, records: Records | Reason) -> Decision:
    """Return the policy's current decision on a stored request, given its freshly read records.

    The sums are exact only under the ledger's lock.
    """
    if isinstance(records, Reason):
        return Decision(Verdict.REFUSE, records)
    spec = spec_of(request)
    if spec is None:
        return Decision(Verdict.REFUSE, Reason("policy_changed"))
    return decision_on(spec, request, records, rules_of(policy_of(request.action)))


def decide_by_rules(request: ActionRequest) -> Decision:
    """Return what the rules alone decide on a stored request, regardless of its records.

    The sums are exact only under the ledger's lock.
    """
    spec, used = spec_of(request), ledger.used(request, now())
    rules = bounded(rules_of(policy_of(request.action)), spec.most_requests if spec else None)
    return decide_write(rules=rules, obstacle=None, money=money_in(request), used=used)


def spec_of(request: ActionRequest) -> WriteAction | None:
    return write_action(request.action, request.spec_version)


def decision_on(spec: WriteAction, request: ActionRequest, records: Records, rules: Rules) -> Decision:
    """Return the decision by these rules on a request with these records."""
    moment = now()
    facts = Facts(records, moment, rules.window_days, ledger.pending(request, records.read_at))
    obstacle = spec.obstacle(request.arguments, facts)
    if obstacle is None and not _is_as_shown(spec, request, records):
        obstacle = Reason("record_changed")
    if is_too_late(request):
        obstacle = Reason("undo_too_late")
    rules, used = bounded(rules, spec.most_requests), ledger.used(request, moment)
    decision = decide_write(rules=rules, obstacle=obstacle, money=money_in(request), used=used)
    if decision.is_refusal or not spec.wants_approval(request.arguments, records):
        return decision
    return Decision(Verdict.CONFIRM_AND_APPROVE, approvals=max(decision.approvals, spec.approvals))


def _is_as_shown(spec: WriteAction, request: ActionRequest, records: Records) -> bool:
    # The digest covers only the arguments: a look-up without arguments ("my newest order") may find something else by
    # now.
    subject = Subject(request.subject_kind, request.subject_id)
    return spec.is_as_shown(request.arguments, records, subject=subject, shown=request.shown)


def money_in(request: ActionRequest) -> Money | None:
    return Money(request.amount, request.currency) if request.amount is not None else None


def lapse_reason(request: ActionRequest) -> Reason | None:
    """Return why a waiting request has lapsed (time-out, the end of an undo window, a changed action, changed rules);
    None if it has not.

    Changed rules end a card that is not confirmed yet. A confirmed request stays, and is decided again by the new rules
    before it runs.
    """
    is_card = request.state == State.AWAITING_CONFIRMATION
    if is_too_late(request):
        return Reason("undo_too_late")
    if request.is_expired(now()):
        return Reason("not_confirmed" if is_card else "not_approved")
    policy = policy_of(request.action)
    if policy is None or spec_of(request) is None or (is_card and policy.current_id != request.policy_version_id):
        return Reason("policy_changed")
    return None
