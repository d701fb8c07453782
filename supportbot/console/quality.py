"""How conversations went in a period: figures, charts and tables. No trend is shown for fewer than 30."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import get_current_timezone, localtime

from supportbot.console.charts import legend_of, lines, stacked
from supportbot.console.durations import NINE_OF_TEN, Spread, first_words, in_words, spread_of, waits
from supportbot.console.endings import Ended, Ending, Endings, counted, ended
from supportbot.console.entry import needs
from supportbot.web import one_of

SPANS: Final = (7, 14, 90)
USUAL_SPAN: Final = 14
WAITING_DAYS: Final = 7
ENOUGH_FOR_A_TREND: Final = 30
PERCENT: Final = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its meaning and a link."""

    label: str
    value: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days in the workspace's time zone, ending today."""

    days: tuple[date, ...]

    @property
    def since(self) -> datetime:
        return _midnight(self.days[0])

    @property
    def until(self) -> datetime:
        return _midnight(self.days[-1] + timedelta(days=1))

    def before(self) -> "Span":
        """Return the period of the same length before this one."""
        return Span(tuple(day - timedelta(days=len(self.days)) for day in self.days))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=get_current_timezone())


def span_of(days: int) -> Span:
    today = localtime().date()
    return Span(tuple(today - timedelta(days=back) for back in reversed(range(days))))


def asked_span(request: HttpRequest) -> int:
    """Return the number of days requested; raises InvalidInput unless it is one of `SPANS`."""
    asked = request.GET.get("days", "")
    return int(one_of("days", asked, map(str, SPANS))) if asked else USUAL_SPAN


def quality(days: int) -> dict[str, Any]:
    """Return the figures and charts of the last days."""
    span = span_of(days)
    conversations = ended(span.since, span.until)
    return {
        "span": days,
        "spans": SPANS,
        "figures": _figures(span, conversations),
        "ends": _drawn(span, counted(conversations)),
        "waits": _waits(span_of(WAITING_DAYS)),
    }


def quality_as_csv(request: HttpRequest) -> HttpResponse:
    """Send the conversations of each day by ending, as CSV."""
    needs(request, "conversations:read")
    days = asked_span(request)
    span = span_of(days)
    ends = counted(ended(span.since, span.until))
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="conversations-{span.days[-1]}-{days}-days.csv"'
    sheet = csv.writer(answer)
    sheet.writerow(["day", "conversations", *(ending.name.lower() for ending in Ending)])
    for day in span.days:
        counts = [ends.by_day[ending].get(day, 0) for ending in Ending]
        sheet.writerow([day.isoformat(), sum(counts), *counts])
    return answer


def _figures(span: Span, conversations: Sequence[Ended]) -> list[Figure]:
    ends, former = counted(conversations), counted(_former(span))
    listed = reverse("admin:chat_conversation_changelist")
    alone = _resolution(conversations, Ending.SOLVED, Ending.NO_OBJECTION)
    with_person = _resolution(conversations, Ending.PERSON)
    words = first_words(span.since, span.until)
    solved = ends.share(Ending.SOLVED, Ending.NO_OBJECTION)
    said_so = f"{_percent(ends.share(Ending.SOLVED))} confirmed by the customer" if ends.number() else "none yet"
    return [
        Figure("Conversations", f"{ends.number():,}", _growth(len(span.days), ends, former), listed),
        Figure("Solved by the assistant", _percent(solved), said_so, listed),
        Figure("Gave up or came back", _percent(ends.share(Ending.GAVE_UP)), _worse(ends, former), listed),
        Figure("Time to resolution", in_words(alone.median), _with_person(with_person), listed),
        Figure("First response after", in_words(words.median), _most(words), listed),
    ]


def _former(span: Span) -> Sequence[Ended]:
    """Return the endings of the preceding period, up to this time of day, because today is not over yet."""
    return ended(span.before().since, localtime() - timedelta(days=len(span.days)))


def _resolution(conversations: Sequence[Ended], *endings: Ending) -> Spread:
    return spread_of((one.took for one in conversations if one.took is not None and one.ending in endings), NINE_OF_TEN)


def _growth(days: int, ends: Endings, former: Endings) -> str:
    number, once = ends.number(), former.number()
    rate = f"{number / days:.3g} a day" if number < 10 * days else f"{round(number / days):,} a day"
    if min(number, once) < ENOUGH_FOR_A_TREND:
        return rate
    change = round(100 * (number - once) / once)
    return f"{rate}, {abs(change)}{PERCENT} {'more' if change > 0 else 'fewer'}" if change else f"{rate}, as before"


def _worse(ends: Endings, former: Endings) -> str:
    gone, once = ends.share(Ending.GAVE_UP), former.share(Ending.GAVE_UP)
    number = ends.number(Ending.GAVE_UP)
    told = f"{number:,} conversation{'' if number == 1 else 's'}"
    if gone is None or once is None or min(ends.number(), former.number()) < ENOUGH_FOR_A_TREND:
        return told
    points = round(gone - once, 1)
    return f"{abs(points):g} points {'worse' if points > 0 else 'better'}, {told}" if points else f"{told}, as before"


def _with_person(spread: Spread) -> str:
    return f"median; with a person {in_words(spread.median)}" if spread.number else "median, without a person"


def _most(spread: Spread) -> str:
    return f"19 of 20 within {in_words(spread.most)}" if spread.number else "no answers yet"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{round(share)}{PERCENT}"


def _drawn(span: Span, ends: Endings) -> dict[str, Any]:
    """Return the conversations of each day by ending, as a chart and a table."""
    series = {
        str(ending): {day: Decimal(number) for day, number in of_day.items()} for ending, of_day in ends.by_day.items()
    }
    return {
        "chart": stacked(span.days, series),
        "legend": legend_of(series),
        "kinds": list(series),
        "table": [(day, [of_day.get(day, 0) for of_day in series.values()]) for day in reversed(span.days)],
    }


def _waits(span: Span) -> dict[str, Any]:
    """Return waits for a person as text, a table and, if there are enough, a chart."""
    spread, by_day = waits(span.since, span.until)
    series = {
        "Half within": {day: _minutes(one.median) for day, one in by_day.items()},
        "9 of 10 within": {day: _minutes(one.most) for day, one in by_day.items()},
    }
    is_enough = spread.number >= ENOUGH_FOR_A_TREND
    return {
        "number": spread.number,
        "number_in_words": f"{spread.number:,}",
        "median": in_words(spread.median),
        "most": in_words(spread.most),
        "chart": lines(span.days, series) if is_enough else None,
        "legend": [(number, name, None) for number, name in enumerate(series, start=1)],
        "table": [_wait_row(day, by_day) for day in reversed(span.days)],
    }


def _minutes(took: timedelta | None) -> Decimal:
    return round(Decimal((took or timedelta()).total_seconds()) / 60, 1)


def _wait_row(day: date, by_day: Mapping[date, Spread]) -> tuple[date, int, str, str]:
    one = by_day.get(day, Spread(None, None, 0))
    return day, one.number, in_words(one.median), in_words(one.most)
