"""Conversations, to read: what was said, what happened, what the assistant read, used and cost."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse

from supportbot.accounts.models import Customer
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message, Source, Turn
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import staff
from supportbot.console.rights import may
from supportbot.console.words import tag, when
from supportbot.llm.models import LLMCall

MOST_EVENTS: Final = 500
MODES: Final = {
    "assistant": ("", "Assistant"),
    "waiting": ("warn", "Waits for a person"),
    "person": ("info", "A person"),
}
SPEAKERS: Final = {Source.ASSISTANT: "AI", Source.SYSTEM: "Notice"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the log, as a person reads it."""

    seq: int
    at: datetime
    kind: str  # customer, assistant, agent, system, note or step
    who: str
    text: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    calls: list[LLMCall] = field(default_factory=list)


@admin.register(Conversation)
class ConversationAdmin(ScopedAdmin):
    view_right = "conversations:read"
    change_form_template = "console/conversation.html"
    list_display = ["opening", "customer", "shown_mode", "locale", "last_event"]
    list_filter = ["mode", "locale"]
    list_select_related = ["customer"]
    search_fields = ["customer__name", "customer__email", "customer__external_id", "messages__text"]
    ordering = ["-last_event_at", "pk"]
    fields = ["locale"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        first = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER).order_by("seq")
        rows: QuerySet[Any] = super().get_queryset(request)
        words = Left(Subquery(first.values("text")[:1]), 90)
        return rows.annotate(first_words=words)  # type: ignore[no-any-return]  # the stubs lose the model

    @admin.display(description="Began with")
    def opening(self, conversation: Any) -> str:
        return conversation.first_words or "Nothing written yet"

    @admin.display(description="With", ordering="mode")
    def shown_mode(self, conversation: Conversation) -> Any:
        return tag(*MODES[conversation.mode])

    @admin.display(description="Last event", ordering="last_event_at")
    def last_event(self, conversation: Conversation) -> str:
        return when(conversation.last_event_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        more = {} if found is None else _told(request, found)
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})
        return answer


def _told(request: HttpRequest, found: Conversation) -> dict[str, Any]:
    sees_cost = may(staff(request), "costs:read")
    calls = list(LLMCall.objects.filter(conversation_id=found.pk).order_by("started_at"))
    return {
        "customer": Customer.objects.get(pk=found.customer_id),
        "lines": lines_of(found, calls),
        "mode": MODES[found.mode],
        "sees_cost": sees_cost,
        "calls": calls,
        "cost": sum((call.cost for call in calls if call.cost is not None), Decimal(0)),
        "currency": next((call.currency for call in calls if call.currency), ""),
        "most": MOST_EVENTS,
    }


def lines_of(conversation: Conversation, calls: list[LLMCall]) -> list[Line]:
    """Return the newest events, oldest first, each answer with the calls it took."""
    events = ConversationEvent.objects.filter(conversation=conversation).order_by("-seq")[:MOST_EVENTS]
    turns: dict[str, UUID] = {
        str(message): pk
        for pk, message in Turn.objects.filter(conversation=conversation).values_list("pk", "message_id")
    }
    who = str(conversation.customer)
    return [_line(event, who, turns, calls) for event in reversed(events)]


def _line(event: ConversationEvent, customer: str, turns: dict[str, UUID], calls: list[LLMCall]) -> Line:
    told, seq, at = event.payload, event.seq, event.created_at
    if event.event == "message":
        source = Source(told["source"])
        kind = "note" if event.audience == Audience.STAFF else str(source)
        return Line(seq, at, kind, SPEAKERS.get(source) or told.get("author") or customer, told["text"])
    if event.event == "assistant.final":
        turn = turns.get(told["message"])
        marks = [words for key, words in _MARKS.items() if told.get(key)]
        mine = [call for call in calls if turn is not None and call.turn_id == turn]
        by = "built-in answerer" if told.get("by") == "builtin" else "model"
        return Line(seq, at, "assistant", f"AI, {by}", told["text"], told.get("citations", []), marks, mine)
    return Line(seq, at, "step", _step(event.event), _detail(told))


_MARKS: Final = {"abstained": "Did not know", "offers_human": "Offered a person", "stopped": "Stopped"}


def _step(name: str) -> str:
    return name.replace(".", ": ").replace("_", " ").capitalize()


def _detail(told: dict[str, Any]) -> str:
    reason = told.get("reason")
    words = reason.get("text") if isinstance(reason, dict) else reason
    return " ".join(str(part) for part in (told.get("title"), words, told.get("outcome"), told.get("code")) if part)
