"""The days whose conversations the overview and the results show."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from django.http import HttpRequest
from django.utils.timezone import get_current_timezone, localtime

from supportbot.insights.outcomes import ConversationOutcome, begun_in, outcomes
from supportbot.query_parameters import one_of

SPANS: Final = (7, 14, 28, 90)
USUAL_SPAN: Final = 14


@dataclass(frozen=True, slots=True)
class Span:
    """A number of whole days, ending today, in the workspace's time zone."""

    days: tuple[date, ...]

    @property
    def since(self) -> datetime:
        return _midnight(self.days[0])

    @property
    def until(self) -> datetime:
        return _midnight(self.days[-1] + timedelta(days=1))

    def before(self) -> "Span":
        """Return the period of the same length that comes before this one."""
        return Span(tuple(day - timedelta(days=len(self.days)) for day in self.days))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=get_current_timezone())


def span_of(days: int) -> Span:
    today = localtime().date()
    return Span(tuple(today - timedelta(days=back) for back in reversed(range(days))))


def asked_span(request: HttpRequest) -> int:
    """Return the requested number of days. Raises InvalidInput unless it is one of `SPANS`."""
    days = request.GET.get("days", "")
    return int(one_of("days", days, map(str, SPANS))) if days else USUAL_SPAN


def outcomes_of(span: Span) -> list[ConversationOutcome]:
    """Return the conversations in a period, with their outcomes at its end."""
    return outcomes(begun_in(span.since, span.until), span.until)
