"""How conversations ended, counted in the database. What went badly is told as large as what went well.

A conversation counts on the day on which it began, once its customer has written something. One that ended badly is
never counted as solved: a low score outweighs a high one, and coming back outweighs saying nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.functions import Coalesce, TruncDate

from supportbot.chat.models import Audience, Conversation, Message, Source, Turn
from supportbot.handoff.models import OPEN, State, Ticket

CAME_BACK_WITHIN: Final = timedelta(days=7)
CONTENT, UNCONTENT = 4, 2  # of five: scores from here up, and down to here


class Ending(StrEnum):
    SOLVED = "Solved"  # by the assistant, and the customer said so
    NO_OBJECTION = "No objection"  # the assistant answered, and nothing more was said
    PERSON = "A person helped"  # or is about to
    GAVE_UP = "Gave up or came back"


@dataclass(frozen=True, slots=True)
class Endings:
    """How many conversations ended how, by the workspace's day."""

    by_day: Mapping[Ending, Mapping[date, int]]

    def number(self, *endings: Ending) -> int:
        return sum(sum(self.by_day[ending].values()) for ending in endings or Ending)

    def share(self, *endings: Ending) -> float | None:
        """Return the percentage that ended so, None without conversations."""
        return 100 * self.number(*endings) / self.number() if self.number() else None


def endings(since: datetime, until: datetime) -> Endings:
    """Count what began from `since` on and before `until`; days are those of the active time zone."""
    rows = (
        ended(since, until)
        .annotate(day=TruncDate("created_at"))
        .order_by()
        .values_list("day", "ending")
        .annotate(number=Count("pk"))
    )
    by_day: dict[Ending, Counter[date]] = {ending: Counter() for ending in Ending}
    for day, ending, number in rows:
        by_day[Ending(ending)][day] = number
    return Endings(by_day)


def ended(since: datetime, until: datetime) -> QuerySet[Any]:
    """Return the conversations that count, each with its `ending`."""
    of_it = {"conversation": OuterRef("pk")}
    said = Message.objects.filter(**of_it, audience=Audience.EVERYONE)
    last_answer = said.filter(source=Source.ASSISTANT).order_by("-seq")
    last_turn = Turn.objects.filter(**of_it).order_by("-created_at", "-id")
    tickets = Ticket.objects.filter(**of_it)
    rows = Conversation.objects.filter(created_at__gte=since, created_at__lt=until).alias(
        is_unanswered=Coalesce(Subquery(last_answer.values("is_abstention")[:1]), True),
        last_turn=Subquery(last_turn.values("state")[:1]),
    )
    helped = Exists(said.filter(source=Source.AGENT)) | Exists(tickets.filter(state__in=[*OPEN, State.RESOLVED]))
    nobody_came = Exists(tickets.filter(state=State.EXPIRED))
    unanswered = Q(is_unanswered=True) | Q(last_turn=Turn.State.FAILED)
    ending = Case(
        When(helped, then=Value(Ending.PERSON)),
        When(nobody_came | unanswered | _scored(score__lte=UNCONTENT) | _came_back(), then=Value(Ending.GAVE_UP)),
        When(_scored(score__gte=CONTENT), then=Value(Ending.SOLVED)),
        default=Value(Ending.NO_OBJECTION),
        output_field=TextField(),
    )
    return rows.filter(Exists(said.filter(source=Source.CUSTOMER))).annotate(ending=ending)


def _scored(**score: int) -> Q:
    # By the relation's name: scores are the widget's, of which this package knows nothing.
    condition = {f"ratings__{name}": value for name, value in score.items()}
    return Q(Exists(Conversation.objects.filter(pk=OuterRef("pk"), **condition)))


def _came_back() -> Q:
    later = Conversation.objects.filter(
        customer=OuterRef("customer"),
        created_at__gt=OuterRef("last_event_at"),
        created_at__lte=OuterRef("last_event_at") + CAME_BACK_WITHIN,
    )
    asked = Message.objects.filter(conversation=OuterRef("pk"), source=Source.CUSTOMER)
    return Q(Exists(later.filter(Exists(asked))))
