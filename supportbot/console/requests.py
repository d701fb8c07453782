"""Requests of actions, to read: what was asked, what became of it, and every step on record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from actions import audit
from actions.cards import face_of, reason_of
from actions.models import ActionRequest, Attempt, AuditEntry, name_of
from actions.money import Money, spoken
from actions.registry import all_actions
from supportbot.accounts.models import Customer, User
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.words import tag, when

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
DIGEST_CHARACTERS: Final = 64
# Checking a chain reads all of it: a longer one is left to `audit_verify`.
MOST_CHECKED: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the audit, in words."""

    seq: int
    at: datetime
    words: str
    who: str
    detail: str
    kind: str


@admin.register(ActionRequest)
class ActionRequestAdmin(ScopedAdmin):
    one, many = "request", "Requests"
    view_right = "actions:read"
    change_form_template = "console/request.html"
    list_display = ["title", "order_id", "money", "shown_state", "asked"]
    list_filter = ["state", "action"]
    search_fields = ["order_id", "id"]
    ordering = ["-id"]
    fields = ["order_id"]

    @admin.display(description="Action", ordering="action")
    def title(self, request: ActionRequest) -> str:
        action = all_actions().get(request.action)
        return action.title["en"] if action else request.action

    @admin.display(description="Asked", ordering="created_at")
    def asked(self, request: ActionRequest) -> str:
        return when(request.created_at)

    @admin.display(description="Amount", ordering="amount")
    def money(self, request: ActionRequest) -> str:
        return "–" if request.amount is None else spoken(Money(request.amount, request.currency), "en")

    @admin.display(description="State", ordering="state")
    def shown_state(self, request: ActionRequest) -> Any:
        return tag(KINDS.get(request.state, ""), request.state.replace("_", " ").capitalize())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        more = {} if found is None else _told(found)
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})
        return answer


def _told(found: ActionRequest) -> dict[str, Any]:
    return {
        "face": face_of(found, "en"),
        "reason": reason_of(found, "en"),
        "kind": KINDS.get(found.state, ""),
        "state": found.state.replace("_", " ").capitalize(),
        "customer": Customer.objects.filter(pk=found.customer_id).first(),
        "lines": lines_of(found),
        "attempts": Attempt.objects.filter(request=found),
        "receipt": found.receipt or {},
        "chain": _chain(),
    }


def lines_of(found: ActionRequest) -> list[Line]:
    """Return what the audit holds of a request, oldest first."""
    people = {name_of(user): user.display_name for user in of_this_workspace(User.objects.all())}
    entries = AuditEntry.objects.filter(request_id=found.pk).order_by("seq")
    return [_line(entry, people) for entry in entries]


def _line(entry: AuditEntry, people: dict[str, str]) -> Line:
    event = entry.event.removeprefix("request.")
    detail = ", ".join(f"{name} {_brief(value)}" for name, value in entry.payload.items() if value not in ("", None))
    who = people.get(entry.actor) or entry.actor.split(":")[0].capitalize()
    return Line(entry.seq, entry.at, event.replace("_", " ").capitalize(), who, detail, KINDS.get(event, ""))


def _brief(value: Any) -> str:
    """Return a digest by its beginning, as people compare it; the whole one stands beside the trail."""
    text = str(value).replace("_", " ")
    return f"{text[:4]} {text[4:8]}" if len(text) == DIGEST_CHARACTERS else text


def _chain() -> dict[str, Any]:
    end = audit.head()
    if end.seq > MOST_CHECKED:
        return {"seq": end.seq, "is_checked": False}
    checked = audit.verify()
    return {"seq": end.seq, "is_checked": True, "is_whole": checked.is_whole, "problem": checked.problem}
