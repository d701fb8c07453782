"""A suite's chart: each run's share of passed cases with its interval, as numbers for an SVG. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from supportbot.console.charts import BOTTOM, HEIGHT, LEFT, ROOM, WIDTH, Tick
from supportbot.console.evals.result_rows import passed_of
from supportbot.evals.grading.run_reports import report_from
from supportbot.evals.models import Run
from supportbot.team_formats import clock_time, day, labelled

MOST_RUNS: Final = 20
RANKS: Final = 4
TICKS: Final = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Point:
    """A run.

    Its share is at `y`; its interval starts at `top` and is `height` high. Narrow screens show fewer ranks.
    """

    x: float
    y: float
    top: float
    height: float
    label: str
    rank: int
    words: str

    @property
    def left(self) -> float:
        """The left edge of the interval's bar, which has a width of 2."""
        return self.x - 1


@dataclass(frozen=True, slots=True)
class RatesChart:
    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def shares_of(newest_first: Iterable[Run]) -> RatesChart | None:
    """Return the chart of finished runs, with the oldest on the left; None if there are fewer than two."""
    runs = [run for run in newest_first if run.report is not None][:MOST_RUNS][::-1]
    if len(runs) < 2:  # a single point shows nothing
        return None
    step = (WIDTH - LEFT) / len(runs)
    every = max(1, len(runs) // 8)
    is_one_day = len({day(run.created_at) for run in runs}) == 1
    points = [
        _point(run, LEFT + (place + 0.5) * step, (len(runs) - 1 - place, every), is_one_day=is_one_day)
        for place, run in enumerate(runs)
    ]
    return RatesChart(tuple(points), tuple(Tick(_y(tick / 100), f"{tick}%") for tick in TICKS))


def _point(run: Run, x: float, counted: tuple[int, int], *, is_one_day: bool) -> Point:
    from_last, every = counted
    report = report_from(run.report or {})
    low, high = report.interval
    share = report.passed / report.cases if report.cases else 0.0
    at = clock_time(run.created_at) if is_one_day else day(run.created_at, with_year=False)
    return Point(
        x=round(x, 1),
        y=_y(share),
        top=_y(high),
        height=round(max(_y(low) - _y(high), 1), 1),
        label="" if from_last % every else at,
        rank=from_last // every % RANKS,
        words=labelled(at, f"{passed_of(report)} ({low:.0%} – {high:.0%})"),
    )


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - ROOM * share, 1)
