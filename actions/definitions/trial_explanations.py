"""Explaining to people who edit a definition why a test call was decided as it was: who owns a record that was not
found, why a person must approve, which limit was exceeded. Nothing is stored, sent or refused.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.timezone import now

from actions import ledger
from actions.definitions.cases import Recorded
from actions.definitions.defined_action import NAMES, DefinedRead, DefinedWrite
from actions.definitions.errors import ExpressionFailed
from actions.definitions.expressions.values import NoValue, as_text
from actions.errors import MerchantUnavailable
from actions.facts import Arguments, Identity, Records
from actions.models import ActionRequest
from actions.money import Money
from actions.policy_store import policy_of, rules_of
from actions.requests.rule_decision import Rules, Used, approvals_needed, bounded, exceeded_limit
from actions.spec import Requests, Terms
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.ids import uuid7


class ApprovalReason(StrEnum):
    """The reasons why a person must approve a request."""

    CONDITION = "condition"  # a condition of the definition
    CURRENCY = "currency"  # the rules' amounts are in a different currency
    AMOUNT = "amount"  # above the limit
    SUM = "sum"  # above the limit together with the amounts used: today by the customer, or for the subject


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval that is needed: `total` is the amount that is compared with the limit `above`."""

    why: ApprovalReason
    people: int
    total: Money | None = None
    above: Money | None = None


def approval_of(action: DefinedWrite, terms: Terms, records: Records, customer: Customer | None) -> Approval | None:
    """Return the approval that a request would need now; None if it needs none. Before an action is published, the
    limits of its document count.
    """
    rules, used = _rules(action), _used(action, terms, records, customer)
    people = approvals_needed(rules, terms.money, used)
    if action.wants_approval(terms.arguments, records):
        return Approval(ApprovalReason.CONDITION, max(people, action.approvals))
    if not people or terms.money is None:
        return None
    if terms.money.currency != rules.currency:
        return Approval(ApprovalReason.CURRENCY, people)
    limit = rules.second_approval_above if people > 1 else rules.approval_above
    assert limit is not None  # follows from the decision
    why = ApprovalReason.AMOUNT if terms.money.amount > limit else ApprovalReason.SUM
    total = terms.money.amount + (used.before if why is ApprovalReason.SUM else 0)
    return Approval(why, people, Money(total, terms.money.currency), Money(limit, rules.currency))


def _rules(action: DefinedWrite) -> Rules:
    policy = policy_of(action.name)
    if policy is not None:
        return bounded(rules_of(policy), action.most_requests)
    currency = str(Workspace.objects.values_list("currency", flat=True).get(pk=current_workspace_id()))
    return Rules(number=0, currency=currency, **asdict(action.limits))


def limit_exceeded(action: DefinedWrite, terms: Terms, records: Records, customer: Customer | None) -> str:
    """Return the code of the limit that a request would exceed now; "" if there is none. An action that is switched
    off, or in a dry run, is judged as if it were on.
    """
    amount = terms.money.amount if terms.money else Decimal(0)
    return exceeded_limit(_rules(action), amount, _used(action, terms, records, customer))


def _used(action: DefinedWrite, terms: Terms, records: Records, customer: Customer | None) -> Used:
    subject = action.subject(terms.arguments, records)
    if customer is None:  # an unknown customer has used nothing
        return Used(subject_kind=subject.kind)
    request = ActionRequest(
        id=uuid7(), customer_id=customer.pk, action=action.name, subject_kind=subject.kind, subject_id=subject.id,
        currency=terms.money.currency if terms.money else "",
    )  # fmt: skip
    return ledger.used(request, now())


def other_owner(
    action: DefinedWrite | DefinedRead, entered: Arguments, identity: Identity, answers: Mapping[str, Any]
) -> str:
    """Return the owner of the first record in a test call's answers that belongs to someone else; "" if there is none,
    or if an owner is not a single value.
    """
    for place, lookup in enumerate(action.definition.lookups):
        if lookup.owner is None or lookup.for_each is not None:
            continue
        without_owner = replace(lookup, owner=None, is_public=True)
        until = replace(action.definition, lookups=[*action.definition.lookups[:place], without_owner])
        try:
            found = type(action)(until, action.version, Recorded(answers)).gathered(entered, identity, Requests())
            if not isinstance(found, Records):
                return ""
            owner = as_text(lookup.owner.evaluate(found.found[NAMES]))
        except (ExpressionFailed, NoValue, MerchantUnavailable):
            return ""
        if owner != identity.sub:
            return owner
    return ""
