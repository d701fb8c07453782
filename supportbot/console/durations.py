"""How long customers wait: for the first words, for a person, for the end. Medians, since one night makes a mean a lie.

All times are of the log and of the record of model calls; nothing is measured again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Subquery,
    Value,
)
from django.db.models.functions import TruncDate

from supportbot.chat.models import Audience, ConversationEvent, Message, Source, Turn
from supportbot.console.endings import Ending, ended
from supportbot.handoff.models import Ticket
from supportbot.llm.models import LLMCall

HALF, NINE_OF_TEN, NINETEEN_OF_TWENTY = 0.5, 0.9, 0.95
_JOINED: Final = "handoff.joined"


class Percentile(Aggregate):
    """PostgreSQL's `percentile_cont` of durations; None of no rows."""

    function = "percentile_cont"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, fraction: float, **extra: Any) -> None:
        super().__init__(expression, fraction=fraction, output_field=DurationField(), **extra)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long it took for half of them, and for most."""

    median: timedelta | None
    most: timedelta | None
    number: int


def first_words(since: datetime, until: datetime) -> Spread:
    """Return how long answers took from the customer's message to a model's first word; most are 19 of 20."""
    words_at = ExpressionWrapper(
        F("started_at")
        + ExpressionWrapper(F("time_to_first_token_ms") * Value(timedelta(milliseconds=1)), DurationField()),
        DateTimeField(),
    )
    calls = LLMCall.objects.filter(
        conversation_id=OuterRef("conversation_id"), turn_id=OuterRef("pk"), time_to_first_token_ms__isnull=False
    )
    # The last call is the one that speaks: those before it asked for tools, or broke off.
    spoke_at = Subquery(calls.order_by("-started_at").values(at=words_at)[:1])
    turns = Turn.objects.filter(created_at__gte=since, created_at__lt=until, kind=Turn.Kind.REPLY).annotate(at=spoke_at)
    return Spread(**turns.aggregate(**_spread(F("at") - F("created_at"), NINETEEN_OF_TWENTY)))


def resolution(since: datetime, until: datetime) -> tuple[Spread, Spread]:
    """Return how long conversations took from the first question to the last answer: without a person, and with one.

    Those that ended badly took as long as they took, and are not counted.
    """
    said = Message.objects.filter(conversation=OuterRef("pk"), audience=Audience.EVERYONE)
    asked = said.filter(source=Source.CUSTOMER).order_by("seq")
    answered = said.filter(source__in=[Source.ASSISTANT, Source.AGENT]).order_by("-seq")
    rows = ended(since, until).annotate(
        asked_at=Subquery(asked.values("created_at")[:1]), answered_at=Subquery(answered.values("created_at")[:1])
    )
    took = F("answered_at") - F("asked_at")
    alone = rows.filter(ending__in=[Ending.SOLVED, Ending.NO_OBJECTION]).aggregate(**_spread(took, NINE_OF_TEN))
    with_person = rows.filter(ending=Ending.PERSON).aggregate(**_spread(took, NINE_OF_TEN))
    return Spread(**alone), Spread(**with_person)


def waits(since: datetime, until: datetime) -> tuple[Spread, Mapping[date, Spread]]:
    """Return how long customers waited until a person came, altogether and by the day they asked; most are 9 of 10."""
    joined = ConversationEvent.objects.filter(
        conversation=OuterRef("conversation"), event=_JOINED, created_at__gte=OuterRef("created_at")
    )
    rows = Ticket.objects.filter(created_at__gte=since, created_at__lt=until).annotate(
        came_at=Subquery(joined.order_by("seq").values("created_at")[:1])
    )
    spread = _spread(F("came_at") - F("created_at"), NINE_OF_TEN)
    came = rows.filter(came_at__isnull=False).annotate(day=TruncDate("created_at")).order_by()
    days = came.values("day").annotate(**spread).values_list("day", "median", "most", "number")
    return Spread(**rows.aggregate(**spread)), {day: Spread(*took) for day, *took in days}


def _spread(took: Any, most: float) -> dict[str, Aggregate]:
    duration = ExpressionWrapper(took, DurationField())
    return {"median": Percentile(duration, HALF), "most": Percentile(duration, most), "number": Count(duration)}


def in_words(took: timedelta | None) -> str:
    """Return "1.3 s", "52 s", "1 min 52 s", "2 h 5 min" or "3 d 4 h"; "–" for none."""
    if took is None:
        return "–"
    seconds = max(took.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, small_size, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            many, rest = whole // size, whole % size // small_size
            return f"{many} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"
