"""The list of conversations, and a read-only page for each: its messages and events, and the sources, tools and costs
of the assistant's answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.models import ActionRequest
from supportbot.accounts.models import Customer, User
from supportbot.bulk_reads import IdIn
from supportbot.chat.conversation_search import newest_with
from supportbot.chat.customer_language import detected_language
from supportbot.chat.event_log import is_open
from supportbot.chat.models import Conversation, Message, Source, Turn
from supportbot.chat.retrieval_trace import trace_in
from supportbot.chat.selectors import RATED, events_after, languages_in_use, rated
from supportbot.chat.signals import EventView
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.evals.case_pages import may_make_cases
from supportbot.console.filters import LanguageFilter
from supportbot.console.model_calls import purpose_label
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.handoff.desk.assistant_activity import WithheldSentence, confirmation_label, withheld_sentences
from supportbot.handoff.desk.conversation_lines import Reader, line_of, reader_of, requests_of
from supportbot.handoff.errors import AlreadyClaimed
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets.selectors import open_ticket_for
from supportbot.handoff.tickets.services import take_over
from supportbot.language.detection import base_language
from supportbot.llm.models import LLMCall
from supportbot.llm.selectors import model_in_words
from supportbot.releases.selectors import releases
from supportbot.team_formats import language_name, number
from supportbot.widget.models import Rating

MAX_EVENTS: Final = 500
MAX_FOUND: Final = 500
MODES: Final = {
    "assistant": ("", gettext_noop("Assistant")),
    "waiting": ("warn", gettext_noop("Waiting for a person")),
    "person": ("info", gettext_noop("A person")),
}
SPEAKERS: Final = {Source.ASSISTANT: gettext_noop("AI"), Source.SYSTEM: gettext_noop("Notice")}


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A model call made for an answer, with readable names for its purpose and model."""

    row: LLMCall
    purpose: str
    model: str


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the log as text."""

    seq: int
    at: datetime
    kind: str  # customer, assistant, agent, system, note or step
    who: str
    text: str
    sources: list[dict[str, Any]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    calls: list[ShownCall] = field(default_factory=list)
    withheld: tuple[WithheldSentence, ...] = ()
    verdict: str = ""  # shows whether the articles confirm an answer
    request: str = ""  # the action request of a step
    message: str = ""  # the id of an answer's message
    release: int | None = None  # the release that produced the answer
    guidelines: tuple[str, ...] = ()  # the guidelines that were followed


class WithheldAnswer(SimpleListFilter):
    """Filters for conversations with an answer that the checks withheld entirely."""

    title = _("checks")
    parameter_name = "checks"

    def value(self) -> str | None:
        value: str | None = super().value()
        return "withheld" if value == "held-back" else value  # the former value, in links from earlier versions

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("withheld", gettext("Answer withheld"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "withheld":
            return queryset
        return queryset.filter(Exists(Message.objects.filter(conversation=OuterRef("pk"), is_withheld=True)))


class RatedFilter(SimpleListFilter):
    title = _("rating")
    parameter_name = "rated"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("bad", gettext("Rated 1 or 2")), ("good", gettext("Rated 4 or 5"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return rated(queryset, value) if value in RATED else queryset


class PageLanguageFilter(LanguageFilter):
    """Filters by the language of the page that contains the chat, whatever its region. It is stored, whereas the
    language of the text is only detected.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # To find the choices, Django would read every conversation.
        self.lookup_choices = languages_in_use()  # type: ignore[assignment]  # only iterated over
        if self.lookup_val is not None:
            wanted = [base_language(value) for value in self.lookup_val]
            self.lookup_val = wanted  # type: ignore[assignment]  # a list, whatever the stubs say
            del self.used_parameters[self.lookup_kwarg]
        self.title = gettext("page's language")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        in_language = [Q(locale__iexact=one) | Q(locale__istartswith=f"{one}-") for one in self.lookup_val or ()]
        return super().queryset(request, queryset.filter(reduce(or_, in_language)) if in_language else queryset)


@admin.register(Conversation)
class ConversationAdmin(ScopedAdmin):
    many = _("Conversations")
    none_yet = _("Every chat is listed here from its first message.")
    view_right = "conversations:read"
    change_form_template = "console/conversation.html"
    list_display = ["opening", "customer", "shown_mode", "language", "last_event"]
    list_filter = ["mode", RatedFilter, WithheldAnswer, ("locale", PageLanguageFilter)]
    list_select_related = ["customer"]
    search_fields = ["messages__text"]  # shows the search field; `get_search_results` searches more than this
    ordering = ["-last_event_at", "pk"]
    fields = ["locale"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        first = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER).order_by("seq")
        rows: QuerySet[Any] = super().get_queryset(request)
        words = Left(Subquery(first.values("text")[:1]), 90)
        return rows.annotate(first_words=words)  # type: ignore[no-any-return]  # the stubs lose the model

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search messages, notes, customers and order numbers. Return the newest matches."""
        if not search_term.strip():
            return queryset, False
        found = newest_with(search_term, MAX_FOUND)
        if len(found) == MAX_FOUND:
            text = gettext("Only the newest {number} are listed. Add a word to find older ones.")
            messages.info(request, text.format(number=number(MAX_FOUND)))
        return queryset.filter(IdIn("id", found)), False

    @admin.display(description=_("First message"))
    def opening(self, conversation: Any) -> str:
        return conversation.first_words or gettext("No messages yet")

    @admin.display(description=_("With"), ordering="mode")
    def shown_mode(self, conversation: Conversation) -> Any:
        return tag(*_mode(conversation))

    @admin.display(description=_("Language"), ordering="locale")
    def language(self, conversation: Any) -> str:
        """Return the language of the customer's first message, which may differ from the page's."""
        return language_name(detected_language(conversation.first_words or "", conversation.locale))

    @admin.display(description=_("Last event"), ordering="last_event_at")
    def last_event(self, conversation: Conversation) -> str:
        return moment_in_words(conversation.last_event_at)

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        sees_cost = may(staff(request), "costs:read")
        calls = list(LLMCall.objects.filter(conversation_id=row.pk).order_by("started_at"))
        return {
            "customer": Customer.objects.get(pk=row.customer_id),
            "lines": lines_of(row, calls, person_of(request)),
            "ticket": Ticket.objects.filter(conversation=row).order_by("-id").first(),
            "may_read_requests": may(staff(request), "actions:read"),
            "mode": _mode(row),
            "language": self.language(row),
            "sees_cost": sees_cost,
            "calls": calls,
            "cost": sum((call.cost for call in calls if call.cost is not None), Decimal(0)),
            "currency": next((call.currency for call in calls if call.currency), ""),
            "is_priced": not calls or any(call.cost is not None for call in calls),
            "most": MAX_EVENTS,
            "may_evaluate": may_make_cases(staff(request)),
            "may_take_over": may(staff(request), "tickets:write") and is_open(row) and open_ticket_for(row.pk) is None,
            "may_erase": may(staff(request), "team:write"),
        }

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.take_over))
        return [path("<uuid:conversation_id>/take-over/", view, name="conversation-take-over"), *super().get_urls()]

    def take_over(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        """Claim a conversation that has no ticket, and open it at the desk."""
        needs(request, "tickets:write")
        conversation = get_object_or_404(Conversation.objects, pk=conversation_id)
        try:
            ticket = take_over(conversation.pk, agent=person_of(request))
        except AlreadyClaimed as refusal:  # a colleague was faster; their ticket is shown
            messages.error(request, refusal.message)
            return redirect("admin:chat_conversation_change", conversation.pk)
        return redirect("desk-ticket", ticket.pk)


def _mode(conversation: Conversation) -> tuple[str, str]:
    """Return the kind and text of the tag that says who answers a conversation."""
    kind, words = MODES[conversation.mode]
    return kind, gettext(words)


def lines_of(conversation: Conversation, calls: list[LLMCall], person: User) -> list[Line]:
    """Return the newest events that contain text, oldest first. Answers include their model calls."""
    turns: dict[str, UUID] = {
        str(message): pk
        for pk, message in Turn.objects.filter(conversation=conversation).values_list("pk", "message_id")
    }
    reader, start = reader_of(conversation, person), max(0, conversation.last_seq - MAX_EVENTS)
    events = events_after(conversation.pk, start, is_staff=True, limit=MAX_EVENTS)
    requests, ratings = requests_of(events), _ratings_of(conversation)
    lines = [_line(event, reader, turns, calls, requests, ratings) for event in events]
    return [line for line in _with_releases(conversation, events, lines) if line is not None]


def _with_releases(
    conversation: Conversation, events: Sequence[EventView], lines: Sequence[Line | None]
) -> list[Line | None]:
    """Return the lines, with the release's number added to each answer."""
    answers = Message.objects.filter(conversation=conversation, release_id__isnull=False)
    by_message = {str(pk): release for pk, release in answers.values_list("pk", "release_id") if release}
    numbers: dict[UUID, int] = dict(releases().filter(pk__in=set(by_message.values())).values_list("pk", "number"))
    return [
        replace(line, release=numbers.get(by_message[event.payload["message"]]))
        if line is not None and event.event == "assistant.final" and event.payload["message"] in by_message
        else line
        for event, line in zip(events, lines, strict=True)
    ]


def _ratings_of(conversation: Conversation) -> Mapping[str, str]:
    """Return the current score of each answer that was rated."""
    rows = Rating.objects.filter(conversation=conversation, message_id__isnull=False)
    return {
        str(message): gettext("Rated {score} out of 5").format(score=score)
        for message, score in rows.values_list("message_id", "score")
    }


def _line(
    event: EventView,
    reader: Reader,
    turns: dict[str, UUID],
    calls: list[LLMCall],
    requests: Mapping[str, ActionRequest],
    ratings: Mapping[str, str],
) -> Line | None:
    payload, seq, at = event.payload, event.seq, event.created_at
    if event.event == "message":
        source = Source(payload["source"])
        kind = str(source) if event.is_public else "note"
        return Line(
            seq,
            at,
            kind,
            gettext(SPEAKERS[source]) if source in SPEAKERS else payload.get("author") or reader.customer,
            payload["text"],
        )
    if event.event == "assistant.final":
        return _answer_line(event, turns, calls, ratings)
    step = line_of(event, reader, requests)  # with the same text as at the desk
    return None if step is None else Line(seq, at, "step", step.text, "", request=step.request)


def _answer_line(event: EventView, turns: Mapping[str, UUID], calls: list[LLMCall], ratings: Mapping[str, str]) -> Line:
    payload = event.payload
    turn, trace = turns.get(payload["message"]), trace_in(payload)
    marks = [gettext(words) for key, words in _MARKS.items() if payload.get(key)]
    marks += [ratings[payload["message"]]] if payload["message"] in ratings else []
    return Line(
        event.seq,
        event.created_at,
        "assistant",
        gettext("AI, built-in answerer") if payload.get("by") == "builtin" else gettext("AI, model"),
        payload["text"],
        payload.get("citations", []),
        marks,
        [
            ShownCall(call, purpose_label(call.purpose), model_in_words(call.provider, call.model))
            for call in calls
            if turn is not None and call.turn_id == turn
        ],
        withheld=withheld_sentences(trace.withheld) if trace else (),
        verdict=confirmation_label(trace),
        message=payload["message"],
        guidelines=trace.guidelines if trace else (),
    )


_MARKS: Final = {
    "abstained": gettext_noop("No answer"),
    "offers_human": gettext_noop("Offered a person"),
    "stopped": gettext_noop("Stopped"),
}
