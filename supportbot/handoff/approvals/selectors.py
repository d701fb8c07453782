"""What an approver needs to decide on an action request: what will run, the rules, who may decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils.timezone import now

from actions import ledger
from actions.cards import card_of, reason_of, title_of
from actions.models import ActionPolicyVersion, ActionRequest
from actions.money import Money, format_money
from actions.policies import approvers_of, may_approve, policy_of
from actions.policy import Used
from actions.services import is_conflict_of_interest
from actions.spec import Row
from actions.states import State
from supportbot.accounts.models import Customer, User
from supportbot.accounts.selectors import people_who_may
from supportbot.chat.models import Message
from supportbot.handoff.desk.activity import STATE_LABELS, ActionRecord, action_record, actor_names
from supportbot.handoff.desk.labels import duration_label
from supportbot.handoff.models import Ticket

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
    """One rule with its numbers; `needs_person` marks the one that requires a person."""

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
    ticket: Ticket | None
    obstacle: str  # why this person may not decide; empty if they may
    approvers: tuple[str, ...]
    waiting_for: str

    @property
    def digest_in_groups(self) -> str:
        """Return the start of the digest in groups that are easy to compare."""
        return " ".join(self.request.digest[start : start + 4] for start in range(0, 16, 4))


def approval_items(shown: str) -> list[ApprovalItem]:
    """Return the requests of one tab: those to decide oldest first, all others newest first."""
    order = "id" if shown == "decide" else "-changed_at"
    requests = list(ActionRequest.objects.filter(state__in=SHOWN[shown]).order_by(order)[:MAX_ROWS])
    names = {one.pk: str(one) for one in Customer.objects.filter(pk__in=[request.customer_id for request in requests])}
    return [_item(request, names.get(request.customer_id, "Erased customer"), now()) for request in requests]


def _item(request: ActionRequest, who: str, moment: datetime) -> ApprovalItem:
    is_waiting = request.state == State.AWAITING_APPROVAL and request.expires_at is not None
    left = (request.expires_at - moment) if is_waiting and request.expires_at else None
    return ApprovalItem(
        id=request.pk,
        title=title_of(request.action, "en"),
        who=who,
        amount=amount_label(request),
        what=request.arguments.get("reason") or card_of(request, "en").summary,
        left=_time_left_label(left) if left is not None else STATE_LABELS[State(request.state)],
        is_soon=left is not None and left.total_seconds() < SOON_SECONDS,
    )


def _time_left_label(left: timedelta) -> str:
    return f"{duration_label(left)} left" if left >= timedelta(minutes=1) else "about to expire"


def amount_label(request: ActionRequest) -> str:
    """Return the amount as text; empty if the action moves no money."""
    return format_money(Money(request.amount, request.currency), "en") if request.amount is not None else ""


def approval_case(request: ActionRequest, person: User) -> ApprovalCase:
    """Return the current state of a request for this person to decide on."""
    face, reason, amount = card_of(request, "en"), reason_of(request, "en"), amount_label(request)
    customer = Customer.objects.filter(pk=request.customer_id).first()
    return ApprovalCase(
        request=request,
        action=title_of(request.action, "en"),
        title=face.title,
        button=amount or face.button,
        amount=amount,
        rows=face.rows,
        who=str(customer) if customer else "Erased customer",
        is_signed_in=customer is not None and not customer.is_anonymous,
        proposed_by=_actor_name(request.proposed_by) if request.proposed_by.startswith(("user:", "operator:")) else "",
        confirmed_by=_actor_name(request.confirmed_by) if request.confirmed_by else "",
        rules=tuple(rules_checked(request)),
        messages=tuple(_messages_before(request)),
        record=action_record(request),
        reason=reason["text"] if reason else "",
        ticket=Ticket.objects.filter(conversation=request.conversation_id).order_by("-id").first(),
        obstacle=_obstacle(request, person),
        approvers=tuple(one.display_name for one in _eligible_approvers(request)),
        waiting_for=duration_label(now() - request.changed_at),
    )


def _eligible_approvers(request: ActionRequest) -> list[User]:
    """Return the approvers the action's rules name, whose role allows it and whose own request it is not."""
    policy, allowed = policy_of(request.action), people_who_may("actions:approve")
    named = approvers_of(policy) if policy else []
    return [one for one in named if one.pk in allowed and not is_conflict_of_interest(request, one)]


def _actor_name(actor: str) -> str:
    return actor_names([actor])[actor]


def _obstacle(request: ActionRequest, person: User) -> str:
    if is_conflict_of_interest(request, person):
        return "own"
    policy = policy_of(request.action)
    return "" if policy is not None and may_approve(person, policy) else "right"


def rules_checked(request: ActionRequest) -> list[RuleCheck]:
    """Return the limits of the request's rule version with their current usage, including this request."""
    rules = request.policy_version
    used, amount = ledger.used(request, now()), request.amount or Decimal(0)
    checked = [
        RuleCheck(text, f"{_money(taken + amount, request)} of {_money(most, request)}")
        for text, taken, most in _limits(rules, used)
        if most is not None and request.amount is not None
    ]
    if rules.max_requests_per_customer_day is not None:
        numbers = f"{used.requests_customer_day + 1} of {rules.max_requests_per_customer_day}"
        checked.append(RuleCheck("Requests of this kind by this customer today", numbers))
    if rules.window_days is not None:
        checked.append(RuleCheck(f"Within {rules.window_days} days of delivery", "checked again before it runs"))
    return [*checked, *_approval_thresholds(request, rules, used)]


def _limits(rules: ActionPolicyVersion, used: Used) -> Sequence[tuple[str, Decimal, Decimal | None]]:
    return (
        ("On this order", used.order, rules.max_per_order),
        ("For this customer today", used.customer_day, rules.max_per_customer_day),
        ("For this customer in 12 months", used.customer_year, rules.max_per_customer_year),
        ("In this workspace today", used.workspace_day, rules.max_per_workspace_day),
    )


def _money(amount: Decimal, request: ActionRequest) -> str:
    return format_money(Money(amount, request.currency), "en")


def _approval_thresholds(request: ActionRequest, rules: ActionPolicyVersion, used: Used) -> list[RuleCheck]:
    if not request.needs_approval or request.amount is None:
        return []
    if request.currency != rules.currency:
        return [RuleCheck(f"Not in {rules.currency}: needs approval", request.currency, needs_person=True)]
    if rules.approval_above is None:
        return []
    threshold = _money(rules.approval_above, request)
    taken = request.amount + max(used.order, used.customer_day)
    return [RuleCheck(f"Above {threshold}: needs approval", _money(taken, request), needs_person=True)]


def _messages_before(request: ActionRequest) -> list[Message]:
    """Return the last messages before the proposal; none if the chat was erased."""
    messages = Message.objects.filter(conversation=request.conversation_id, created_at__lte=request.created_at)
    newest = messages.filter(source__in=["customer", "assistant", "agent"], audience="everyone")
    return list(reversed(newest.order_by("-seq")[:MAX_MESSAGES]))
