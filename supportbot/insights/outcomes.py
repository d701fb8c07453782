"""Reads the facts about many conversations with one query for each table, however many they are."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Left
from django.utils.timezone import localtime

from supportbot.accounts.models import Channel
from supportbot.chat.customer_language import detected_language
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message, Source, Turn
from supportbot.handoff.models import Ticket
from supportbot.insights.outcome_rules import Facts, Outcome, PersonRequest, PublicMessage, Score, outcome_of
from supportbot.llm.models import LLMCall
from supportbot.widget.models import Rating

ENOUGH_TO_DETECT: Final = 300  # characters of the first question
_Costs = dict[str, Decimal]  # by currency


@dataclass(frozen=True, slots=True)
class ConversationOutcome:
    """A row of the export: a conversation with its outcome. `began_at` is in the active time zone."""

    conversation: UUID
    customer: UUID
    began_at: datetime
    channel: UUID | None
    channel_name: str
    language: str
    outcome: Outcome


def begun_in(since: datetime, until: datetime) -> QuerySet[Conversation]:
    """Return the conversations that were started at or after `since` and before `until`, oldest first."""
    return Conversation.objects.filter(created_at__gte=since, created_at__lt=until).order_by("pk")


def outcomes(conversations: QuerySet[Conversation], until: datetime) -> list[ConversationOutcome]:
    """Return the outcomes, as of `until`, of the conversations with a question from the customer, in the same order.
    Whether customers came back later is ignored, so that a period can be compared with an earlier one.
    """
    rows = list(conversations.values_list("pk", "customer_id", "created_at", "channel_id", "locale"))
    if not rows:
        return []
    facts = _Facts(conversations.order_by(), until)
    channels = dict(Channel.objects.values_list("pk", "name"))
    found = []
    for pk, customer, began_at, channel, locale in rows:
        outcome = outcome_of(facts.of(pk, customer))
        if outcome is not None:
            language = detected_language(facts.first_question(pk), locale).partition("-")[0]
            name = channels.get(channel, "") if channel else ""
            found.append(ConversationOutcome(pk, customer, localtime(began_at), channel, name, language, outcome))
    return found


class _Facts:
    """The facts about a set of conversations, all read at the same time."""

    def __init__(self, conversations: QuerySet[Conversation], until: datetime) -> None:
        ids = conversations.values("pk")
        self._messages = _messages_of(ids)
        self._first = _first_questions(ids)
        self._requests = _requests(ids)
        self._scores = _scores(ids)
        self._failed, replies = _turns(ids)
        self._first_words, self._costs = _calls(ids, replies)
        self._began = _began(conversations.values("customer"), until)

    def of(self, pk: UUID, customer: UUID) -> Facts:
        return Facts(
            messages=self._messages[pk],
            requests=self._requests[pk],
            scores=self._scores[pk],
            has_failed=pk in self._failed,
            asked_again_at=[at for other, at in self._began[customer] if other != pk],
            first_words_at=self._first_words[pk],
            costs=self._costs[pk],
        )

    def first_question(self, pk: UUID) -> str:
        return self._first.get(pk, "")


def _grouped(rows: Iterable[tuple[UUID, Any]]) -> defaultdict[UUID, list[Any]]:
    groups: defaultdict[UUID, list[Any]] = defaultdict(list)
    for key, value in rows:
        groups[key].append(value)
    return groups


def _messages_of(ids: Any) -> Mapping[UUID, Sequence[PublicMessage]]:
    fields = ("seq", "source", "created_at", "courtesy", "is_abstention", "author_id", "author_name", "pk")
    rows = Message.objects.filter(conversation__in=ids, audience=Audience.EVERYONE).exclude(source=Source.SYSTEM)
    ordered = rows.order_by("conversation_id", "seq").values_list("conversation_id", *fields)
    return _grouped((row[0], PublicMessage(*row[1:])) for row in ordered)


def _first_questions(ids: Any) -> Mapping[UUID, str]:
    questions = Message.objects.filter(conversation__in=ids, source=Source.CUSTOMER, courtesy="")
    first = questions.order_by("conversation_id", "seq").distinct("conversation_id")
    return dict(first.values_list("conversation_id", Left("text", ENOUGH_TO_DETECT)))


def _requests(ids: Any) -> Mapping[UUID, Sequence[PersonRequest]]:
    joined = ConversationEvent.objects.filter(conversation__in=ids, event="handoff.joined")
    # A ticket's `claimed_at` refers only to its current owner.
    came_at: dict[str, datetime] = {}
    for ticket, at in joined.annotate(ticket=KT("payload__ticket")).order_by("seq").values_list("ticket", "created_at"):
        came_at.setdefault(str(ticket), at)
    rows = Ticket.objects.filter(conversation__in=ids).annotate(name=Cast("pk", TextField())).order_by("pk")
    fields = ("conversation_id", "created_at", "state", "requested_by", "name", "ended_at")
    return _grouped(
        (row[0], PersonRequest(row[1], row[2], row[3], came_at.get(row[4]), row[5]))
        for row in rows.values_list(*fields)
    )


def _scores(ids: Any) -> Mapping[UUID, Sequence[Score]]:
    rows = Rating.objects.filter(conversation__in=ids).order_by("pk")
    return _grouped((row[0], Score(*row[1:])) for row in rows.values_list("conversation_id", "score", "message_id"))


def _turns(ids: Any) -> tuple[set[UUID], set[UUID]]:
    """Return the ids of the conversations whose last turn failed, and of the turns that answered a customer."""
    turns = Turn.objects.filter(conversation__in=ids)
    last = turns.order_by("conversation_id", "-created_at", "-id").distinct("conversation_id")
    failed = {pk for pk, state in last.values_list("conversation_id", "state") if state == Turn.State.FAILED}
    return failed, set(turns.filter(kind=Turn.Kind.REPLY).values_list("pk", flat=True))


def _calls(ids: Any, replies: Container[UUID]) -> tuple[Mapping[UUID, Sequence[datetime]], Mapping[UUID, _Costs]]:
    """Return when the model began its answers in each conversation, and each conversation's cost by currency.

    A turn's last call gives the answer; earlier calls used tools or failed.
    """
    first_words: defaultdict[UUID, dict[UUID, datetime]] = defaultdict(dict)
    costs: defaultdict[UUID, _Costs] = defaultdict(dict)
    for call in LLMCall.objects.filter(conversation_id__in=ids).order_by("started_at", "pk"):
        conversation, turn, said_at = call.conversation_id, call.turn_id, call.first_token_at
        if conversation is None:
            continue
        if call.purpose == "answer" and turn is not None and turn in replies and said_at is not None:
            first_words[conversation][turn] = said_at
        if call.cost is not None and call.currency:  # a call without a currency cost nothing
            spent = costs[conversation]
            spent[call.currency] = spent.get(call.currency, Decimal(0)) + call.cost
    began = {pk: sorted(of_turn.values()) for pk, of_turn in first_words.items()}
    return defaultdict(list, began), costs


def _began(customers: Any, until: datetime) -> Mapping[UUID, Sequence[tuple[UUID, datetime]]]:
    """Return when each customer started conversations that contain a question from them."""
    questions = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER, courtesy="")
    rows = Conversation.objects.filter(Exists(questions), customer__in=customers, created_at__lt=until)
    return _grouped((row[0], row[1:]) for row in rows.values_list("customer_id", "pk", "created_at"))
