"""The chart on a run's page: the share of passed cases with its interval, above that of the run it is compared with, as
numbers for an SVG. Pure.

The scale starts at the multiple of ten per cent below the lowest interval, so that small differences are visible.
"""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from supportbot.evals.grading.run_reports import Report
from supportbot.team_formats import percentage

WIDTH: Final = 340
LEFT: Final = 78  # the left edge of the scale
RIGHT: Final = 318
ROW: Final = 30


@dataclass(frozen=True, slots=True)
class Span:
    """A run. Its share is at `x`; its interval starts at `low` and is `width` wide."""

    label: str
    y: int
    x: float
    low: float
    width: float
    words: str
    place: int


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Intervals:
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    width: int = WIDTH

    @property
    def height(self) -> int:
        return ROW * len(self.spans) + 24

    @property
    def base(self) -> int:
        """The bottom end of the scale's lines."""
        return ROW * len(self.spans) + 4

    @property
    def words(self) -> str:
        return "; ".join(span.words for span in self.spans)


def intervals_of(report: Report | None, before: Report | None) -> Intervals | None:
    """Return the chart for a report and, if given, for that of another run; None if there is no report or no case."""
    named = [(gettext("Now"), report), (gettext("Before"), before)]
    reports = [(label, one) for label, one in named if one is not None]
    if report is None or not all(one.cases for _, one in reports):
        return None
    start = min(int(10 * report.interval.low) for _, report in reports) / 10
    start = min(start, 0.9)

    def at(share: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (share - start) / (1 - start), 1)

    spans = []
    for place, (label, report) in enumerate(reports, 1):
        low, high = report.interval
        share = report.passed / report.cases
        words = gettext("{label}: {share} passed, interval {low} to {high}").format(
            label=label, share=percentage(100 * share), low=percentage(100 * low), high=percentage(100 * high)
        )
        width = round(max(at(high) - at(low), 1), 1)
        spans.append(Span(label, ROW * place - 10, at(share), at(low), width, words, place))
    marks = tuple(Mark(at(share), percentage(100 * share)) for share in (start, (1 + start) / 2, 1.0))
    return Intervals(tuple(spans), marks)
