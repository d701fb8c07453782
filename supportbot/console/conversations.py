"""Conversations, read-only: messages, events, and what the assistant read, used and cost."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import AllValuesFieldListFilter, SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpRequest

from supportbot.accounts.models import Customer, User
from supportbot.chat.models import Conversation, Message, Source, Turn
from supportbot.chat.retrieval_trace import trace_in
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import EventView
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import person_of, staff
from supportbot.console.rights import may
from supportbot.console.words import tag, when
from supportbot.handoff.desk.activity import WithheldSentence, confirmation_label, withheld_sentences
from supportbot.handoff.desk.thread import Reader, line_of, reader_of
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets.language import detected_language
from supportbot.llm.models import LLMCall

MOST_EVENTS: Final = 500
MODES: Final = {
    "assistant": ("", "Assistant"),
    "waiting": ("warn", "Waiting for a person"),
    "person": ("info", "A person"),
}
SPEAKERS: Final = {Source.ASSISTANT: "AI", Source.SYSTEM: "Notice"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the log in readable form."""

    seq: int
    at: datetime
    kind: str  # customer, assistant, agent, system, note or step
    who: str
    text: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    calls: list[LLMCall] = field(default_factory=list)
    held_back: tuple[WithheldSentence, ...] = ()
    verdict: str = ""  # whether the articles confirm an answer
    request: str = ""  # the action request of a step


class HeldBackAnswer(SimpleListFilter):
    """Conversations with an answer that the checks held back entirely."""

    title = "checks"
    parameter_name = "checks"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("held-back", "Answer held back")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "held-back":
            return queryset
        return queryset.filter(Exists(Message.objects.filter(conversation=OuterRef("pk"), is_held_back=True)))


class PageLocaleMiddleware(AllValuesFieldListFilter):
    """The language of the page with the chat, which is stored; the language of the text itself is detected."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "page's language"


@admin.register(Conversation)
class ConversationAdmin(ScopedAdmin):
    none_yet = "Every chat is listed here from its first message."
    view_right = "conversations:read"
    change_form_template = "console/conversation.html"
    list_display = ["opening", "customer", "shown_mode", "language", "last_event"]
    list_filter = ["mode", HeldBackAnswer, ("locale", PageLocaleMiddleware)]
    list_select_related = ["customer"]
    search_fields = ["customer__name", "customer__email", "customer__external_id", "messages__text"]
    ordering = ["-last_event_at", "pk"]
    fields = ["locale"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        first = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER).order_by("seq")
        rows: QuerySet[Any] = super().get_queryset(request)
        words = Left(Subquery(first.values("text")[:1]), 90)
        return rows.annotate(first_words=words)  # type: ignore[no-any-return]  # the stubs lose the model

    @admin.display(description="First message")
    def opening(self, conversation: Any) -> str:
        return conversation.first_words or "No messages yet"

    @admin.display(description="With", ordering="mode")
    def shown_mode(self, conversation: Conversation) -> Any:
        return tag(*MODES[conversation.mode])

    @admin.display(description="Language", ordering="locale")
    def language(self, conversation: Any) -> str:
        """Return the language of the customer's first message, which may differ from the page's."""
        return detected_language(conversation.first_words or "", conversation.locale)

    @admin.display(description="Last event", ordering="last_event_at")
    def last_event(self, conversation: Conversation) -> str:
        return when(conversation.last_event_at)

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        sees_cost = may(staff(request), "costs:read")
        calls = list(LLMCall.objects.filter(conversation_id=row.pk).order_by("started_at"))
        return {
            "customer": Customer.objects.get(pk=row.customer_id),
            "lines": lines_of(row, calls, person_of(request)),
            "ticket": Ticket.objects.filter(conversation=row).order_by("-id").first(),
            "may_read_requests": may(staff(request), "actions:read"),
            "mode": MODES[row.mode],
            "language": self.language(row),
            "sees_cost": sees_cost,
            "calls": calls,
            "cost": sum((call.cost for call in calls if call.cost is not None), Decimal(0)),
            "currency": next((call.currency for call in calls if call.currency), ""),
            "most": MOST_EVENTS,
        }


def lines_of(conversation: Conversation, calls: list[LLMCall], person: User) -> list[Line]:
    """Return the newest readable events, oldest first, each answer with its model calls."""
    turns: dict[str, UUID] = {
        str(message): pk
        for pk, message in Turn.objects.filter(conversation=conversation).values_list("pk", "message_id")
    }
    reader, start = reader_of(conversation, person), max(0, conversation.last_seq - MOST_EVENTS)
    events = events_after(conversation.pk, start, is_staff=True, limit=MOST_EVENTS)
    lines = [_line(event, reader, turns, calls) for event in events]
    return [line for line in lines if line is not None]


def _line(event: EventView, reader: Reader, turns: dict[str, UUID], calls: list[LLMCall]) -> Line | None:
    told, seq, at = event.payload, event.seq, event.created_at
    if event.event == "message":
        source = Source(told["source"])
        kind = str(source) if event.is_public else "note"
        return Line(seq, at, kind, SPEAKERS.get(source) or told.get("author") or reader.customer, told["text"])
    if event.event == "assistant.final":
        turn = turns.get(told["message"])
        reading = trace_in(told)
        marks = [words for key, words in _MARKS.items() if told.get(key)]
        mine = [call for call in calls if turn is not None and call.turn_id == turn]
        by = "built-in answerer" if told.get("by") == "builtin" else "model"
        return Line(
            seq,
            at,
            "assistant",
            f"AI, {by}",
            told["text"],
            told.get("citations", []),
            marks,
            mine,
            held_back=withheld_sentences(reading.withheld) if reading else (),
            verdict=confirmation_label(reading),
        )
    step = line_of(event, reader)  # as the desk words it
    return None if step is None else Line(seq, at, "step", step.text, "", request=step.request)


_MARKS: Final = {"abstained": "No answer", "offers_human": "Offered a person", "stopped": "Stopped"}
