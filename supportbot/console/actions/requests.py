"""Action requests, read-only: the request, its outcome and every recorded step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from actions import audit
from actions.cards import card_of, receipt_rows, team_reason_of, title_of_request
from actions.facts import ORDER
from actions.models import ActionRequest, Attempt, AuditEntry
from actions.money import Money, format_money, is_amount_in
from actions.registry import all_actions
from actions.requests.rule_decision import Verdict
from actions.requests.undo import undone_by
from actions.states import State
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation
from supportbot.console.audit_events import event_label
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.filters import LabelledFilter
from supportbot.handoff.approvals.selectors import amount_label
from supportbot.handoff.desk.action_records import STATE_LABELS, state_label
from supportbot.handoff.desk.actor_names import actor_names
from supportbot.team_formats import active_language, labelled

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
    Verdict.REFUSE: gettext_noop("refused by the rules"),
    Verdict.RUN: gettext_noop("no confirmation needed"),
    Verdict.CONFIRM: gettext_noop("the customer confirms"),
    Verdict.CONFIRM_AND_APPROVE: gettext_noop("the customer confirms, then a person approves"),
}
# Verifying a chain reads every entry, so longer chains are left to `audit_verify`.
MOST_CHECKED: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """One audit entry as text."""

    seq: int
    at: datetime
    words: str
    who: str
    detail: str
    kind: str


class StateFilter(LabelledFilter):
    title = _("state")
    parameter_name = "state"
    words = {str(state): words for state, words in STATE_LABELS.items()}


class ActionFilter(LabelledFilter):
    title = _("action")
    parameter_name = "action"

    @property
    def words(self) -> Mapping[str, str]:  # type: ignore[override]  # each workspace has its own
        return {name: action.title_in(active_language()) for name, action in all_actions().items()}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.words.items())  # already in the reader's language


@admin.register(ActionRequest)
class ActionRequestAdmin(ScopedAdmin):
    many = _("Requests")
    none_yet = _("Requests for actions are listed here with every step.")
    view_right = "actions:read"
    change_form_template = "console/request.html"
    list_display = ["title", "who", "subject", "money", "shown_state", "asked"]
    list_filter = [StateFilter, ActionFilter]
    search_fields = ["subject_id", "id"]
    ordering = ["-id"]
    fields = ["subject_id"]

    @admin.display(description=_("Action"), ordering="action")
    def title(self, request: ActionRequest) -> str:
        return title_of_request(request, active_language())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # There is no foreign key: a financial record outlives its customer.
        customer = Customer.objects.filter(pk=OuterRef("customer_id"))
        name = Coalesce(NullIf("name", Value("")), "external_id")
        rows: QuerySet[Any] = super().get_queryset(request)
        # the stubs lose the model's type
        return rows.annotate(who=Subquery(customer.annotate(said=name).values("said")[:1]))  # type: ignore[no-any-return]

    @admin.display(description=_("Customer"), ordering="who")
    def who(self, request: Any) -> str:
        return request.who or gettext("erased")

    @admin.display(description=_("About"), ordering="subject_id")
    def subject(self, request: ActionRequest) -> str:
        if not request.subject_id:
            return "–"
        kind = gettext("Order") if request.subject_kind == ORDER else request.subject_kind.replace("_", " ")
        return f"{kind} {request.subject_id}".strip()

    @admin.display(description=_("Asked"), ordering="created_at")
    def asked(self, request: ActionRequest) -> str:
        return moment_in_words(request.created_at)

    @admin.display(description=_("Amount"), ordering="amount")
    def money(self, request: ActionRequest) -> str:
        return amount_label(request) or "–"

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, request: ActionRequest) -> Any:
        return tag(_kind_of(request), _state_of(request))

    def page_context(self, request: HttpRequest, row: ActionRequest) -> dict[str, Any]:
        return {
            "face": card_of(row, active_language()),
            "reason": team_reason_of(row),
            "kind": _kind_of(row),
            "state": _state_of(row),
            "waits": row.state == State.AWAITING_APPROVAL,
            "has_chat": Conversation.objects.filter(pk__in=[row.conversation_id]).exists(),  # it may have been erased
            "customer": Customer.objects.filter(pk=row.customer_id).first(),
            "lines": lines_of(row),
            "attempts": Attempt.objects.filter(request=row),
            "amount": amount_label(row),
            "receipt": _receipt(row),
            "chain": _chain(),
            "undone_by": undone_by(row),
        }


def _receipt(row: ActionRequest) -> dict[str, Any]:
    """Return the stored part of the merchant's response, with the amount formatted."""
    if rows := receipt_rows(row, active_language()):
        return {line.label: line.value for line in rows}
    receipt = dict(row.receipt or {})
    amount, currency = str(receipt.get("amount", "")), str(receipt.get("currency", ""))
    if currency and is_amount_in(amount, currency):  # not every receipt contains an amount
        receipt["amount"] = format_money(Money(Decimal(amount), currency), active_language())
        del receipt["currency"]
    return receipt


def lines_of(found: ActionRequest) -> list[Line]:
    """Return a request's audit entries, oldest first."""
    entries = list(AuditEntry.objects.filter(request_id=found.pk).order_by("seq"))
    names = actor_names(entry.actor for entry in entries)
    return [_line(entry, names[entry.actor]) for entry in entries]


def _line(entry: AuditEntry, actor: str) -> Line:
    event = entry.event.removeprefix("request.")
    facts = [_fact(name, value) for name, value in entry.payload.items() if value not in ("", None, [])]
    detail = "; ".join(filter(None, facts))
    return Line(entry.seq, entry.at, _state(event), actor, detail, KINDS.get(event, ""))


def _state_of(request: ActionRequest) -> str:
    """Return a request's state as text.

    If only the dry run refused it, the text says that it would have been allowed.
    """
    return gettext("Dry run: would be allowed") if _is_dry(request) else _state(request.state)


def _kind_of(request: ActionRequest) -> str:
    return "info" if _is_dry(request) else KINDS.get(request.state, "")


def _is_dry(request: ActionRequest) -> bool:
    return request.state == State.REFUSED and request.reason_code == "shadow_mode"


def _state(event: str) -> str:
    if event in State.values:
        return state_label(State(event))
    return event_label(event) or event.replace("_", " ").capitalize()


def _fact(name: str, value: Any) -> str:
    """Return one fact of an entry as text, or "" if the page shows it elsewhere."""
    match name:
        case "action" | "before":
            return ""
        case "digest":  # only the first characters; the full digest is shown next to the audit trail
            return gettext("arguments {digest}").format(digest=f"{str(value)[:4]} {str(value)[4:8]}")
        case "facts":  # the request contains the reason itself; this digest reveals later changes to it
            return gettext("sealed reason {digest}").format(digest=f"{str(value)[:4]} {str(value)[4:8]}")
        case "policy":
            return gettext("rules version {number}").format(number=value)
        case "verdict":
            return gettext(VERDICTS[Verdict(value)])
        case _:
            return labelled(name, str(value)).replace("_", " ")


def _chain() -> dict[str, Any]:
    end = audit.head()
    if end.seq > MOST_CHECKED:
        return {"seq": end.seq, "is_checked": False}
    checked = audit.verify()
    return {"seq": end.seq, "is_checked": True, "is_whole": checked.is_whole, "problem": checked.problem}
