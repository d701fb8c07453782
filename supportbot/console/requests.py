"""Action requests, read-only: the request, its outcome and every recorded step."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest

from actions import audit
from actions.cards import card_of, reason_of, title_of
from actions.models import ActionRequest, Attempt, AuditEntry
from actions.money import Money, format_money, is_amount_in
from actions.policy import Verdict
from actions.registry import all_actions
from actions.states import State
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation
from supportbot.console.base import ScopedAdmin
from supportbot.console.filters import InWords
from supportbot.console.words import tag, when
from supportbot.handoff.approvals.selectors import amount_label
from supportbot.handoff.desk.activity import STATE_LABELS, actor_names

KINDS: Final = {
    "succeeded": "ok",
    "failed": "bad",
    "refused": "bad",
    "rejected": "bad",
    "unknown": "warn",
    "awaiting_approval": "info",
    "awaiting_confirmation": "info",
    "queued": "info",
    "executing": "info",
}
VERDICTS: Final = {
    Verdict.REFUSE: "refused by the rules",
    Verdict.RUN: "no confirmation needed",
    Verdict.CONFIRM: "the customer confirms",
    Verdict.CONFIRM_AND_APPROVE: "the customer confirms, then a person approves",
}
# Checking a chain reads all of it; longer ones are left to `audit_verify`.
MOST_CHECKED: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """One audit entry in readable form."""

    seq: int
    at: datetime
    words: str
    who: str
    detail: str
    kind: str


class StateFilter(InWords):
    title = parameter_name = "state"
    words = {str(state): words for state, words in STATE_LABELS.items()}


class ActionFilter(InWords):
    title = parameter_name = "action"
    words = {name: action.title["en"] for name, action in all_actions().items()}


@admin.register(ActionRequest)
class ActionRequestAdmin(ScopedAdmin):
    one, many = "request", "Requests"
    none_yet = "Actions that customers request are listed here with every step."
    view_right = "actions:read"
    change_form_template = "console/request.html"
    list_display = ["title", "who", "order", "money", "shown_state", "asked"]
    list_filter = [StateFilter, ActionFilter]
    search_fields = ["order_id", "id"]
    ordering = ["-id"]
    fields = ["order_id"]

    @admin.display(description="Action", ordering="action")
    def title(self, request: ActionRequest) -> str:
        return title_of(request.action, "en")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # There is no foreign key: a financial record outlives its customer.
        customer = Customer.objects.filter(pk=OuterRef("customer_id"))
        name = Coalesce(NullIf("name", Value("")), "external_id")
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.annotate(who=Subquery(customer.annotate(said=name).values("said")[:1]))  # type: ignore[no-any-return]  # the stubs lose it

    @admin.display(description="Customer", ordering="who")
    def who(self, request: Any) -> str:
        return request.who or "erased"

    @admin.display(description="Order", ordering="order_id")
    def order(self, request: ActionRequest) -> str:
        return request.order_id or "–"

    @admin.display(description="Asked", ordering="created_at")
    def asked(self, request: ActionRequest) -> str:
        return when(request.created_at)

    @admin.display(description="Amount", ordering="amount")
    def money(self, request: ActionRequest) -> str:
        return amount_label(request) or "–"

    @admin.display(description="State", ordering="state")
    def shown_state(self, request: ActionRequest) -> Any:
        return tag(KINDS.get(request.state, ""), _state(request.state))

    def page_context(self, request: HttpRequest, row: ActionRequest) -> dict[str, Any]:
        return {
            "face": card_of(row, "en"),
            "reason": reason_of(row, "en"),
            "kind": KINDS.get(row.state, ""),
            "state": _state(row.state),
            "waits": row.state == State.AWAITING_APPROVAL,
            "has_chat": Conversation.objects.filter(pk__in=[row.conversation_id]).exists(),  # it may be erased
            "customer": Customer.objects.filter(pk=row.customer_id).first(),
            "lines": lines_of(row),
            "attempts": Attempt.objects.filter(request=row),
            "amount": amount_label(row),
            "receipt": _receipt(row),
            "chain": _chain(),
        }


def _receipt(row: ActionRequest) -> dict[str, Any]:
    """Return the stored part of the merchant's response, with the amount formatted."""
    told = dict(row.receipt or {})
    amount, currency = str(told.get("amount", "")), str(told.get("currency", ""))
    if currency and is_amount_in(amount, currency):  # receipts differ by action and may lack these
        told["amount"] = format_money(Money(Decimal(amount), currency), "en")
        del told["currency"]
    return told


def lines_of(found: ActionRequest) -> list[Line]:
    """Return the audit entries of a request, oldest first."""
    entries = list(AuditEntry.objects.filter(request_id=found.pk).order_by("seq"))
    names = actor_names(entry.actor for entry in entries)
    return [_line(entry, names[entry.actor]) for entry in entries]


def _line(entry: AuditEntry, actor: str) -> Line:
    event = entry.event.removeprefix("request.")
    told = [_fact(name, value) for name, value in entry.payload.items() if value not in ("", None, [])]
    detail = "; ".join(filter(None, told))
    return Line(entry.seq, entry.at, _state(event), actor, detail, KINDS.get(event, ""))


def _state(event: str) -> str:
    return STATE_LABELS[State(event)] if event in State.values else event.replace("_", " ").capitalize()


def _fact(name: str, value: Any) -> str:
    """Return one fact of an entry as text; empty if the page shows it elsewhere."""
    match name:
        case "action" | "before":
            return ""
        case "digest":  # only its beginning; the full digest is shown beside the trail
            return f"arguments {str(value)[:4]} {str(value)[4:8]}"
        case "facts":  # the reason itself is in the request; the seal reveals changes
            return f"reason sealed {str(value)[:4]} {str(value)[4:8]}"
        case "policy":
            return f"rules version {value}"
        case "verdict":
            return VERDICTS[Verdict(value)]
        case _:
            return f"{name}: {value}".replace("_", " ")


def _chain() -> dict[str, Any]:
    end = audit.head()
    if end.seq > MOST_CHECKED:
        return {"seq": end.seq, "is_checked": False}
    checked = audit.verify()
    return {"seq": end.seq, "is_checked": True, "is_whole": checked.is_whole, "problem": checked.problem}
