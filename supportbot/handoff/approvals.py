"""What is decided about an action request: exactly what will run, the rules with their numbers, who may decide."""

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
from supportbot.handoff.models import Ticket
from supportbot.handoff.trail import STATES, Acted, acted, names_of_actors
from supportbot.handoff.words import how_long

RUNNING: Final = (State.QUEUED, State.EXECUTING, State.UNKNOWN)
SHOWN: Final = {
    "decide": (State.AWAITING_APPROVAL,),
    "running": RUNNING,
    "decided": (State.SUCCEEDED, State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED),
}
MOST_ROWS: Final = 50
MOST_SAID: Final = 6
SOON_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Item:
    """One request in the list."""

    id: UUID
    title: str
    who: str
    amount: str
    what: str
    left: str
    is_soon: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its numbers; one that asks for a person `calls`."""

    text: str
    numbers: str
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a person decides on."""

    request: ActionRequest
    action: str
    title: str
    button: str
    amount: str
    rows: tuple[Row, ...]
    who: str
    is_signed_in: bool
    asked_by: str  # of the team; empty where the customer did
    confirmed_by: str
    rules: tuple[Rule, ...]
    said: tuple[Message, ...]
    trail: Acted
    reason: str
    ticket: Ticket | None
    obstacle: str  # why this person may not decide; empty if they may
    approvers: tuple[str, ...]
    asks_ago: str

    @property
    def digest_in_groups(self) -> str:
        """Return the beginning of the digest as it can be compared by eye."""
        return " ".join(self.request.digest[start : start + 4] for start in range(0, 16, 4))


def items_for(shown: str) -> list[Item]:
    """Return the requests of one list: what is to decide oldest first, everything else newest first."""
    order = "id" if shown == "decide" else "-changed_at"
    requests = list(ActionRequest.objects.filter(state__in=SHOWN[shown]).order_by(order)[:MOST_ROWS])
    names = {one.pk: str(one) for one in Customer.objects.filter(pk__in=[request.customer_id for request in requests])}
    return [_item(request, names.get(request.customer_id, "A customer who was erased"), now()) for request in requests]


def _item(request: ActionRequest, who: str, moment: datetime) -> Item:
    is_waiting = request.state == State.AWAITING_APPROVAL and request.expires_at is not None
    left = (request.expires_at - moment) if is_waiting and request.expires_at else None
    return Item(
        id=request.pk,
        title=title_of(request.action, "en"),
        who=who,
        amount=amount_of(request),
        what=request.arguments.get("reason") or card_of(request, "en").summary,
        left=_left_in_words(left) if left is not None else STATES[State(request.state)],
        is_soon=left is not None and left.total_seconds() < SOON_SECONDS,
    )


def _left_in_words(left: timedelta) -> str:
    return f"{how_long(left)} left" if left >= timedelta(minutes=1) else "expires now"


def amount_of(request: ActionRequest) -> str:
    """Return the amount as people write it; empty where the action moves no money."""
    return format_money(Money(request.amount, request.currency), "en") if request.amount is not None else ""


def case_of(request: ActionRequest, person: User) -> Case:
    """Return a request as it stands, for this person to decide on."""
    face, reason, amount = card_of(request, "en"), reason_of(request, "en"), amount_of(request)
    customer = Customer.objects.filter(pk=request.customer_id).first()
    return Case(
        request=request,
        action=title_of(request.action, "en"),
        title=face.title,
        button=amount or face.button,
        amount=amount,
        rows=face.rows,
        who=str(customer) if customer else "A customer who was erased",
        is_signed_in=customer is not None and not customer.is_anonymous,
        asked_by=_name_of(request.proposed_by) if request.proposed_by.startswith(("user:", "operator:")) else "",
        confirmed_by=_name_of(request.confirmed_by) if request.confirmed_by else "",
        rules=tuple(rules_checked(request)),
        said=tuple(_said(request)),
        trail=acted(request),
        reason=reason["text"] if reason else "",
        ticket=_ticket_of(request),
        obstacle=_obstacle(request, person),
        approvers=tuple(one.display_name for one in _who_may_decide(request)),
        asks_ago=how_long(now() - request.changed_at),
    )


def _who_may_decide(request: ActionRequest) -> list[User]:
    """Return the people whom the action's rules name, whose role decides, and whose own request it is not."""
    policy, deciding = policy_of(request.action), people_who_may("actions:approve")
    named = approvers_of(policy) if policy else []
    return [one for one in named if one.pk in deciding and not is_conflict_of_interest(request, one)]


def _name_of(actor: str) -> str:
    return names_of_actors([actor])[actor]


def _obstacle(request: ActionRequest, person: User) -> str:
    if is_conflict_of_interest(request, person):
        return "own"
    policy = policy_of(request.action)
    return "" if policy is not None and may_approve(person, policy) else "right"


def rules_checked(request: ActionRequest) -> list[Rule]:
    """Return the limits of the request's own version of the rules, with what they count now, this request included."""
    rules = request.policy_version
    used, amount = ledger.used(request, now()), request.amount or Decimal(0)
    checked = [_limit(text, taken + amount, most, request) for text, taken, most in _limits(rules, used)
               if most is not None and request.amount is not None]  # fmt: skip
    if rules.max_requests_per_customer_day is not None:
        numbers = f"{used.requests_customer_day + 1} of {rules.max_requests_per_customer_day}"
        checked.append(Rule("Requests of this kind by this customer today", numbers))
    if rules.window_days is not None:
        checked.append(Rule(f"Within {rules.window_days} days of delivery", "checked again before it runs"))
    return [*checked, *_calls_for_a_person(request, rules, used)]


def _limits(rules: ActionPolicyVersion, used: Used) -> Sequence[tuple[str, Decimal, Decimal | None]]:
    return (
        ("On this order", used.order, rules.max_per_order),
        ("For this customer today", used.customer_day, rules.max_per_customer_day),
        ("For this customer in 12 months", used.customer_year, rules.max_per_customer_year),
        ("In this workspace today", used.workspace_day, rules.max_per_workspace_day),
    )


def _limit(text: str, taken: Decimal, most: Decimal | None, request: ActionRequest) -> Rule:
    return Rule(text, f"{_money(taken, request)} of {_money(most or Decimal(0), request)}")


def _money(amount: Decimal, request: ActionRequest) -> str:
    return format_money(Money(amount, request.currency), "en")


def _calls_for_a_person(request: ActionRequest, rules: ActionPolicyVersion, used: Used) -> list[Rule]:
    if not request.needs_approval or request.amount is None:
        return []
    if request.currency != rules.currency:
        return [Rule(f"Not in {rules.currency}: a colleague approves", request.currency, calls=True)]
    if rules.approval_above is None:
        return []
    threshold = _money(rules.approval_above, request)
    taken = request.amount + max(used.order, used.customer_day)
    return [Rule(f"Above {threshold}: a colleague approves", _money(taken, request), calls=True)]


def _said(request: ActionRequest) -> list[Message]:
    """Return what was said last before it was proposed; nothing if the chat was erased."""
    messages = Message.objects.filter(conversation=request.conversation_id, created_at__lte=request.created_at)
    newest = messages.filter(source__in=["customer", "assistant", "agent"], audience="everyone")
    return list(reversed(newest.order_by("-seq")[:MOST_SAID]))


def _ticket_of(request: ActionRequest) -> Ticket | None:
    found: Ticket | None = Ticket.objects.filter(conversation=request.conversation_id).order_by("-id").first()
    return found
