"""How conversations ended. Bad outcomes are shown as prominently as good ones.

A conversation counts on the day on which it began, once its customer has written something. One that ended badly is
never counted as solved: a low score outweighs a high one, and coming back outweighs saying nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.utils.timezone import localdate

from supportbot.chat.models import Audience, Conversation, Message, Source, Turn
from supportbot.handoff.models import OPEN, State, Ticket

CAME_BACK_WITHIN: Final = timedelta(days=7)
CONTENT, UNCONTENT = 4, 2  # of five: scores from here up, and from here down


class Ending(StrEnum):
    SOLVED = "Solved"  # by the assistant, confirmed by the customer
    NO_OBJECTION = "No objection"  # the assistant answered and the customer wrote nothing more
    PERSON = "A person helped"  # or has been requested
    GAVE_UP = "Gave up or came back"


@dataclass(frozen=True, slots=True)
class Ended:
    """One conversation: its ending, and how long it took from the first question to the last answer, if one came.

    If a person was requested, that is their last answer.
    """

    day: date
    ending: Ending
    took: timedelta | None


@dataclass(frozen=True, slots=True)
class Endings:
    """How many conversations ended how, by the workspace's day."""

    by_day: Mapping[Ending, Mapping[date, int]]

    def number(self, *endings: Ending) -> int:
        return sum(sum(self.by_day[ending].values()) for ending in endings or Ending)

    def share(self, *endings: Ending) -> float | None:
        """Return the percentage with this ending; None without conversations."""
        return 100 * self.number(*endings) / self.number() if self.number() else None


def counted(conversations: Iterable[Ended]) -> Endings:
    by_day: dict[Ending, Counter[date]] = {ending: Counter() for ending in Ending}
    for one in conversations:
        by_day[one.ending][one.day] += 1
    return Endings(by_day)


def ended(since: datetime, until: datetime) -> Sequence[Ended]:
    """Return the conversations begun from `since` until `until`, as of `until`: later returns do not count.

    Days are those of the active time zone.
    """
    asked, answered = _said().filter(source=Source.CUSTOMER), _said().exclude(source=Source.SYSTEM)
    by_person = answered.filter(source=Source.AGENT)
    rows = (
        Conversation.objects.filter(created_at__gte=since, created_at__lt=until)
        .annotate(asked_at=_first(asked.order_by("seq")), last_asked_at=_first(asked.order_by("-seq")))
        .filter(asked_at__isnull=False)
        .annotate(ending=_ending(until))
        .annotate(
            answered_at=Case(
                When(Q(ending=Ending.PERSON) & ~Exists(by_person), then=None),
                default=_first(answered.exclude(source=Source.CUSTOMER).order_by("-seq")),
            )
        )
        .order_by()
    )
    return [
        Ended(localdate(began), Ending(ending), answered_at - asked_at if answered_at else None)
        for began, ending, asked_at, answered_at in rows.values_list("created_at", "ending", "asked_at", "answered_at")
    ]


def _said() -> QuerySet[Message]:
    return Message.objects.filter(conversation=OuterRef("pk"), audience=Audience.EVERYONE)


def _first(messages: QuerySet[Message]) -> Subquery:
    return Subquery(messages.values("created_at")[:1])


def _ending(until: datetime) -> Case:
    tickets = Ticket.objects.filter(conversation=OuterRef("pk"))
    resolved = tickets.filter(state=State.RESOLVED)
    was_taken = Q(claimed_at__isnull=False)  # otherwise the customer ended the chat before anybody claimed it
    is_called = Exists(tickets.filter(state__in=OPEN))
    helped = Exists(_said().filter(source=Source.AGENT)) | is_called | Exists(resolved.filter(was_taken))
    nobody_came = Exists(tickets.filter(state=State.EXPIRED)) | Exists(resolved.exclude(was_taken))
    went_badly = nobody_came | _was_not_answered() | _scored(score__lte=UNCONTENT) | _came_back(until)
    return Case(
        When(helped, then=Value(Ending.PERSON)),
        When(went_badly, then=Value(Ending.GAVE_UP)),
        When(_scored(score__gte=CONTENT), then=Value(Ending.SOLVED)),
        default=Value(Ending.NO_OBJECTION),
        output_field=TextField(),
    )


def _was_not_answered() -> Q:
    """The last answer was an abstention, there was no answer, or the last turn failed."""
    answers = _said().filter(source=Source.ASSISTANT).order_by("-seq")
    turns = Turn.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
    return Q(Coalesce(Subquery(answers.values("is_abstention")[:1]), True)) | Q(
        Exact(Subquery(turns.values("state")[:1]), Value(Turn.State.FAILED))
    )


def _scored(**score: int) -> Q:
    # By relation name, because ratings belong to the widget, which this package does not import.
    condition = {f"ratings__{name}": value for name, value in score.items()}
    return Q(Exists(Conversation.objects.filter(pk=OuterRef("pk"), **condition)))


def _came_back(until: datetime) -> Q:
    # Up to the last question: outcomes, notes and notices may be logged days later.
    later = Conversation.objects.filter(
        customer=OuterRef("customer"),
        created_at__gt=OuterRef("last_asked_at"),
        created_at__lte=OuterRef("last_asked_at") + CAME_BACK_WITHIN,
        created_at__lt=until,
    )
    asked = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER)
    return Q(Exists(later.filter(Exists(asked))))
