"""Waiting requests are judged by the rules in force, not by those they were made under. A change of rules ends every
unconfirmed card. A request waiting for approval is judged again: if the rules now refuse it, it ends with their reason;
otherwise, it keeps waiting. The rows alone show which requests to judge, so lost messages or killed processes cannot
leave one behind.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils.timezone import now

from actions import audit, ledger
from actions.definitions.models import ActionDefinition
from actions.errors import MerchantUnavailable, NotConnected
from actions.facts import Identity, Records
from actions.models import ActionPolicy, ActionPolicyVersion, ActionRequest
from actions.policy_store import policy_of, rules_of
from actions.reasons import Reason
from actions.registry import code_actions
from actions.requests.proposing import decide_by_rules, gather_again, lapse_reason, reevaluate, spec_of
from actions.requests.rule_decision import Rules
from actions.requests.transitions import expire, transition
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
    if customer is None or customer.external_id is None:  # erased meanwhile: it is refused right before it is sent
        return None
    return gather_again(request, Identity(customer.external_id, customer.email))


@transaction.atomic
def _judge(request_id: UUID, records: Records | Reason | None, number: int) -> None:
    """Judge by this version of the rules; if there is a newer one by now, the next sweep handles it."""
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
