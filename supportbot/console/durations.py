"""How long customers wait for the first response, a person and the resolution. Medians: one night distorts a mean.

All times are of the log and of the record of model calls; nothing is measured again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.timezone import localdate

from supportbot.chat.models import ConversationEvent, Turn
from supportbot.handoff.models import Requester, Ticket
from supportbot.llm.models import LLMCall

HALF, NINE_OF_TEN, NINETEEN_OF_TWENTY = 0.5, 0.9, 0.95
_JOINED: Final = "handoff.joined"
_UNITS: Final = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and a high percentile of durations; None if there are none."""

    median: timedelta | None
    most: timedelta | None
    number: int


def spread_of(durations: Iterable[timedelta], most: float) -> Spread:
    """Return the spread, interpolated linearly like PostgreSQL's `percentile_cont`."""
    found = sorted(durations)
    if not found:
        return Spread(None, None, 0)
    return Spread(_at(found, HALF), _at(found, most), len(found))


def _at(found: list[timedelta], fraction: float) -> timedelta:
    place = (len(found) - 1) * fraction
    below = found[int(place)]
    above = found[min(int(place) + 1, len(found) - 1)]
    return below + (above - below) * (place - int(place))


def first_words(since: datetime, until: datetime) -> Spread:
    """Return the time from a customer's message to the first word of the answer, with the 95th percentile."""
    turns = Turn.objects.filter(pk=OuterRef("turn_id"), kind=Turn.Kind.REPLY)
    calls = LLMCall.objects.filter(started_at__gte=since, started_at__lt=until, time_to_first_token_ms__isnull=False)
    # The last call of a turn gives the answer; those before it called tools or failed.
    spoke = (
        calls.annotate(asked_at=Subquery(turns.values("created_at")[:1]))
        .filter(asked_at__isnull=False)
        .order_by("turn_id", "-started_at")
        .distinct("turn_id")
        .values_list("asked_at", "started_at", "time_to_first_token_ms")
    )
    return spread_of((at - asked + timedelta(milliseconds=ms or 0) for asked, at, ms in spoke), NINETEEN_OF_TWENTY)


def waits(since: datetime, until: datetime) -> tuple[Spread, Mapping[date, Spread]]:
    """Return how long customers waited for a person, in total and by day of request, with the 90th percentile."""
    joined = ConversationEvent.objects.filter(conversation=OuterRef("conversation"), event=_JOINED)
    to_it = joined.annotate(ticket=KT("payload__ticket")).filter(ticket=Cast(OuterRef("pk"), TextField()))
    # A ticket's own `claimed_at` is that of its current owner.
    came_at = Subquery(to_it.order_by("seq").values("created_at")[:1])
    called = Ticket.objects.exclude(
        requested_by=Requester.AGENT
    )  # an agent who reopened a conversation was not waited for
    rows = called.filter(created_at__gte=since, created_at__lt=until).annotate(came_at=came_at)
    by_day: dict[date, list[timedelta]] = defaultdict(list)
    for asked, came in rows.filter(came_at__isnull=False).values_list("created_at", "came_at"):
        by_day[localdate(asked)].append(came - asked)
    everything = [took for durations in by_day.values() for took in durations]
    days = {day: spread_of(durations, NINE_OF_TEN) for day, durations in by_day.items()}
    return spread_of(everything, NINE_OF_TEN), days


def in_words(took: timedelta | None) -> str:
    """Return "1.3 s", "52 s", "1 min 52 s", "2 h 5 min" or "3 d 4 h"; "–" for None."""
    if took is None:
        return "–"
    seconds = max(took.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, small_size, small_name in _UNITS:
        if whole >= size:
            many, rest = whole // size, whole % size // small_size
            return f"{many} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"
