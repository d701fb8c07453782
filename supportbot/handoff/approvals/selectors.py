"""What a person needs to decide on an action request: what will run, the rules, and who may decide."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils.timezone import now
from django.utils.translation import gettext

from actions import ledger
from actions.approvers import approvers_of
from actions.audit import actor_of
from actions.cards import card_of, team_reason_of, title_of_request
from actions.models import ActionPolicyVersion, ActionRequest
from actions.money import Money, format_money
from actions.policy_store import policy_of
from actions.registry import action_as_made, approval_role
from actions.requests.calls_in_progress import is_in_progress
from actions.requests.rule_decision import Used
from actions.services import is_conflict_of_interest, may_decide, why_not_settled_as_not_done
from actions.spec import Row
from actions.states import State
from supportbot.accounts.models import Customer, Membership, User
from supportbot.accounts.staff_principals import people_who_may
from supportbot.chat.models import Message
from supportbot.handoff.desk.action_records import ActionRecord, action_record, state_label
from supportbot.handoff.desk.actor_names import actor_names
from supportbot.handoff.desk.labels import duration_label
from supportbot.handoff.models import Ticket
from supportbot.team_formats import active_language

RUNNING: Final = (State.QUEUED, State.EXECUTING, State.UNKNOWN)
SHOWN: Final = {
    "decide": (State.AWAITING_APPROVAL,),
    "running": RUNNING,
    "decided": (State.SUCCEEDED, State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED),
}
MAX_ROWS: Final = 50
MAX_MESSAGES: Final = 6
SOON_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class ApprovalItem:
    """One request in the list."""

    id: UUID
    title: str
    who: str
    amount: str
    what: str
    left: str
    is_soon: bool


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """One rule with its numbers. `needs_person` marks the rule that requires a person to decide."""

    text: str
    numbers: str
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalCase:
    """Everything an approver needs to decide."""

    request: ActionRequest
    action: str
    title: str
    button: str
    amount: str
    rows: tuple[Row, ...]
    who: str
    is_signed_in: bool
    proposed_by: str  # a team member; empty if the customer asked
    confirmed_by: str
    rules: tuple[RuleCheck, ...]
    messages: tuple[Message, ...]
    record: ActionRecord
    reason: str
    is_in_progress: bool  # the connected system is known to be working on the call
    why_it_may_happen: str  # why the request cannot yet be settled as not done; empty if it can
    ticket: Ticket | None
    first_approver: str  # the first of two approvers, while the second approval is missing
    first_approved_at: datetime | None
    obstacle: str  # why this person may not decide; empty if they may
    approvers: tuple[str, ...]
    waiting_for: str

    @property
    def is_being_carried_out(self) -> bool:
        """Return whether the request is about to change state without anyone's decision."""
        held_until = self.request.held_until
        return self.request.state in (State.QUEUED, State.EXECUTING) and (held_until is None or held_until <= now())

    @property
    def amount_beside_rows(self) -> str:
        """Return the amount, or "" if a row of the card already shows it."""
        return "" if self.amount in {row.value for row in self.rows} else self.amount

    @property
    def subject_beside_rows(self) -> str:
        """Return the record that the request is about, such as "account ac-7", or "" if a row of the card shows
        its id.
        """
        kind, own_id = self.request.subject_kind.replace("_", " "), self.request.subject_id
        named = re.compile(rf"(?<!\w){re.escape(own_id)}(?!\w)")
        return "" if any(named.search(row.value) for row in self.rows) else f"{kind} {own_id}".strip()

    @property
    def digest_in_groups(self) -> str:
        """Return the beginning of the digest, in groups that are easy to compare."""
        return " ".join(self.request.digest[start : start + 4] for start in range(0, 16, 4))


def approval_items(shown: str) -> list[ApprovalItem]:
    """Return the requests on one tab: pending requests oldest first, others newest first."""
    order = "id" if shown == "decide" else "-changed_at"
    requests = list(ActionRequest.objects.filter(state__in=SHOWN[shown]).order_by(order)[:MAX_ROWS])
    names = {one.pk: str(one) for one in Customer.objects.filter(pk__in=[request.customer_id for request in requests])}
    return [_item(request, names.get(request.customer_id, gettext("Erased customer")), now()) for request in requests]


# The prefixes of people and programs that can propose a request in place of the customer.
_NAMED: Final = ("user:", "operator:", "key:")


def _item(request: ActionRequest, who: str, moment: datetime) -> ApprovalItem:
    is_waiting = request.state == State.AWAITING_APPROVAL and request.expires_at is not None
    left = (request.expires_at - moment) if is_waiting and request.expires_at else None
    return ApprovalItem(
        id=request.pk,
        title=title_of_request(request, active_language()),
        who=who,
        amount=amount_label(request),
        what=_reason_label(request) or card_of(request, active_language()).summary,
        left=_time_left_label(left) if left is not None else state_label(State(request.state)),
        is_soon=left is not None and left.total_seconds() < SOON_SECONDS,
    )


def _reason_label(request: ActionRequest) -> str:
    """Return the customer's reason, or its label if they chose an option."""
    reason = request.arguments.get("reason")
    if not isinstance(reason, str):
        return ""
    spec = action_as_made(request.action, request.spec_version)
    return spec.option_label("reason", reason, active_language()) if spec else reason


def _time_left_label(left: timedelta) -> str:
    if left < timedelta(minutes=1):
        return gettext("about to expire")
    return gettext("{time} left").format(time=duration_label(left))


def amount_label(request: ActionRequest) -> str:
    """Return the amount as text, or "" if the action moves no money."""
    return (
        format_money(Money(request.amount, request.currency), active_language()) if request.amount is not None else ""
    )


def approval_case(request: ActionRequest, person: User) -> ApprovalCase:
    """Return everything that this person currently needs to decide on a request."""
    face, amount = card_of(request, active_language()), amount_label(request)
    customer = Customer.objects.filter(pk=request.customer_id).first()
    return ApprovalCase(
        request=request,
        action=title_of_request(request, active_language()),
        title=face.title,
        button=amount or face.button,
        amount=amount,
        rows=face.rows,
        who=str(customer) if customer else gettext("Erased customer"),
        is_signed_in=customer is not None and not customer.is_anonymous,
        proposed_by=_actor_name(request.proposed_by) if request.proposed_by.startswith(_NAMED) else "",
        confirmed_by=_actor_name(request.confirmed_by) if request.confirmed_by else "",
        rules=tuple(rules_checked(request)),
        messages=tuple(_messages_before(request)),
        record=action_record(request),
        reason=team_reason_of(request),
        is_in_progress=request.state == State.UNKNOWN and is_in_progress(request),
        why_it_may_happen=why_not_settled_as_not_done(request) if request.state == State.UNKNOWN else "",
        ticket=Ticket.objects.filter(conversation=request.conversation_id).order_by("-id").first(),
        first_approver=_actor_name(request.first_approved_by) if request.first_approved_by else "",
        first_approved_at=request.first_approved_at,
        obstacle=_obstacle(request, person),
        approvers=tuple(one.display_name for one in _eligible_approvers(request)),
        waiting_for=duration_label(now() - request.changed_at),
    )


def _eligible_approvers(request: ActionRequest) -> list[User]:
    """Return the approvers in the action's rules whose role lets them decide and who have no conflict of interest."""
    policy, allowed = policy_of(request.action), people_who_may("actions:approve")
    named = approvers_of(policy) if policy else []
    able = [one for one in named if one.pk in allowed and may_decide(request, one)]
    others = [one for one in able if actor_of(one) != request.first_approved_by]
    return [one for one in others if not is_conflict_of_interest(request, one)]


def _actor_name(actor: str) -> str:
    return actor_names([actor])[actor]


def _obstacle(request: ActionRequest, person: User) -> str:
    if is_conflict_of_interest(request, person):
        return "own"
    if not may_decide(request, person):
        return "right"
    return "first" if request.first_approved_by == actor_of(person) else ""


def rules_checked(request: ActionRequest) -> list[RuleCheck]:
    """Return the limits that apply and how much of each is used, counting this request. For a decided request, return
    the limits at the time of the decision.
    """
    rules = _rules_for(request)
    used, amount = ledger.used(request, now()), request.amount or Decimal(0)
    checked = [
        RuleCheck(
            text, gettext("{taken} of {most}").format(taken=_money(taken + amount, request), most=_money(most, request))
        )
        for text, taken, most in _limits(request, used)
        if most is not None and request.amount is not None
    ]
    if rules.max_requests_per_customer_day is not None:
        numbers = gettext("{taken} of {most}").format(
            taken=used.requests_customer_day + 1, most=rules.max_requests_per_customer_day
        )
        checked.append(RuleCheck(gettext("Requests of this kind by this customer today"), numbers))
    if rules.window_days is not None:
        checked.append(
            RuleCheck(
                gettext("Within {number} days of delivery").format(number=rules.window_days),
                gettext("checked again before it runs"),
            )
        )
    thresholds = _approval_thresholds(request, rules, used)
    if request.needs_approval and not any(one.needs_person for one in thresholds):
        thresholds = [*thresholds, _asked_by_action(request)]
    return [*checked, *thresholds]


def _asked_by_action(request: ActionRequest) -> RuleCheck:
    """Return the row that says that the action itself requires approval. It is shown if no threshold for the amount
    requires approval.
    """
    role = approval_role(request.action, request.spec_version)
    who = Membership.Role(role).label if role in Membership.Role.values else ""
    return RuleCheck(gettext("The action itself requires approval"), str(who), needs_person=True)


def _rules_for(request: ActionRequest) -> ActionPolicyVersion:
    policy = policy_of(request.action) if request.state == State.AWAITING_APPROVAL else None
    return policy.current if policy and policy.current else request.policy_version


def _limits(request: ActionRequest, used: Used) -> Sequence[tuple[str, Decimal, Decimal | None]]:
    rules = _rules_for(request)
    return (
        (_on_this(request), used.subject, rules.max_per_order),
        (gettext("For this customer today"), used.customer_day, rules.max_per_customer_day),
        (gettext("For this customer in the last 12 months"), used.customer_year, rules.max_per_customer_year),
        (gettext("In this workspace today"), used.workspace_day, rules.max_per_workspace_day),
    )


def _on_this(request: ActionRequest) -> str:
    kind = request.subject_kind.replace("_", " ")
    if kind == "order":
        return gettext("On this order")
    return gettext("On this record ({kind})").format(kind=kind) if kind else gettext("On this record")


def _money(amount: Decimal, request: ActionRequest) -> str:
    return format_money(Money(amount, request.currency), active_language())


def _approval_thresholds(request: ActionRequest, rules: ActionPolicyVersion, used: Used) -> list[RuleCheck]:
    if not request.needs_approval or request.amount is None:
        return []
    if request.currency != rules.currency:
        return [
            RuleCheck(
                gettext("Not in {currency}: needs approval").format(currency=rules.currency),
                request.currency,
                needs_person=True,
            )
        ]
    others = max(used.subject, used.customer_day)
    taken = request.amount + others
    shown = _money(taken, request)
    if others:
        shown = gettext("{amount} with the customer's other requests").format(amount=shown)
    thresholds = (
        (gettext("Above {threshold}: needs approval"), rules.approval_above),
        (gettext("Above {threshold}: needs approval by two people"), rules.second_approval_above),
    )
    return [
        RuleCheck(text.format(threshold=_money(threshold, request)), shown, needs_person=taken > threshold)
        for text, threshold in thresholds
        if threshold is not None
    ]


def _messages_before(request: ActionRequest) -> list[Message]:
    """Return the last messages before the proposal; none if the conversation was erased."""
    messages = Message.objects.filter(conversation=request.conversation_id, created_at__lte=request.created_at)
    newest = messages.filter(source__in=["customer", "assistant", "agent"], audience="everyone")
    return list(reversed(newest.order_by("-seq")[:MAX_MESSAGES]))
