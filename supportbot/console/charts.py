"""Charts of daily series as bars or lines: numbers for an SVG without script or style attributes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from supportbot.team_formats import day as short
from supportbot.team_formats import labelled, number

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 880, 220, 56, 24, 10
ROOM = HEIGHT - BOTTOM - TOP
GAP = 2.0
RANKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    series: int
    words: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series. Days without a value have no dot; the line continues to the next value."""

    dots: tuple[Dot, ...]
    series: int

    @property
    def points(self) -> str:
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Day:
    x: float
    label: str
    rank: int  # 0 to 3; the narrower the screen, the fewer ranks are shown


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    days: tuple[Day, ...]
    lines: tuple[Line, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    base: int = HEIGHT - BOTTOM


def stacked(days: Sequence[date], series: Mapping[str, Mapping[date, Decimal]]) -> Chart:
    """Return a chart with a stacked bar for each day. Missing values count as zero."""
    tops = [sum((values.get(day, Decimal(0)) for values in series.values()), Decimal(0)) for day in days]
    ceiling, step = _rounded(max(tops, default=Decimal(0))), _step(days)
    bars = [
        bar
        for place, day in enumerate(days)
        for bar in _stack(day, series, LEFT + place * step + step * 0.15, step * 0.7, ROOM / float(ceiling))
    ]
    return Chart(tuple(bars), _ticks(ceiling, series), tuple(_labels(days, step)))


def lines(days: Sequence[date], series: Mapping[str, Mapping[date, Decimal]]) -> Chart:
    """Return a chart with a line for each series, drawn through the days that have a value."""
    values = [value for of_day in series.values() for value in of_day.values()]
    ceiling, step = _rounded(max(values, default=Decimal(0))), _step(days)
    drawn = tuple(
        Line(tuple(_dots(days, name, of_day, step, ROOM / float(ceiling))), place)
        for place, (name, of_day) in enumerate(series.items(), start=1)
    )
    return Chart((), _ticks(ceiling, series), tuple(_labels(days, step)), drawn)


def legend_of(series: Mapping[str, Mapping[date, Decimal]]) -> list[tuple[int, str, Decimal]]:
    """Return the legend: each series' number, name and sum."""
    return [(n, name, sum(values.values(), Decimal(0))) for n, (name, values) in enumerate(series.items(), start=1)]


def _step(days: Sequence[date]) -> float:
    return (WIDTH - LEFT) / max(len(days), 1)


def _ticks(ceiling: Decimal, series: Mapping[str, Mapping[date, Decimal]]) -> tuple[Tick, ...]:
    is_whole = all(value == value.to_integral_value() for values in series.values() for value in values.values())
    marks = _marks(ceiling, is_whole=is_whole)
    return tuple(Tick(round(HEIGHT - BOTTOM - ROOM * float(mark / ceiling), 1), _label(mark)) for mark in marks)


def _dots(days: Sequence[date], name: str, values: Mapping[date, Decimal], step: float, scale: float) -> list[Dot]:
    return [
        Dot(
            round(LEFT + (place + 0.5) * step, 1),
            round(HEIGHT - BOTTOM - float(values[day]) * scale, 1),
            labelled(f"{short(day, with_year=False)}, {name}", _label(values[day])),
        )
        for place, day in enumerate(days)
        if day in values
    ]


def _labels(days: Sequence[date], step: float) -> list[Day]:
    """Return the labels below the bars. They are placed backwards from the last day, which matters most."""
    every, last = max(1, len(days) // 8), len(days) - 1
    shown = [place for place in range(len(days)) if not (last - place) % every]
    return [
        Day(LEFT + (place + 0.5) * step, short(days[place], with_year=False), (last - place) // every % RANKS)
        for place in shown
    ]


def _stack(day: date, series: Mapping[str, Mapping[date, Decimal]], x: float, width: float, scale: float) -> list[Bar]:
    bars, y = [], float(HEIGHT - BOTTOM)
    for place, (name, values) in enumerate(series.items(), start=1):
        value = values.get(day, Decimal(0))
        height = float(value) * scale
        if height > 0:
            y -= height
            words = labelled(f"{short(day, with_year=False)}, {name}", _label(value))
            bars.append(Bar(round(x, 1), round(y, 1), round(width, 1), round(max(height - GAP, 1), 1), place, words))
    return bars


def _rounded(value: Decimal) -> Decimal:
    """Return the value rounded up to 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(10) ** value.adjusted()
    return next((power * step for step in (1, 2, 5) if power * step >= value), power * 10)


def _marks(ceiling: Decimal, *, is_whole: bool) -> list[Decimal]:
    """Return the axis labels: zero, half the maximum and the maximum or, for small counts, every whole number."""
    if is_whole and ceiling % 2:
        return [Decimal(mark) for mark in range(int(ceiling) + 1)]  # the maximum is 1 or 5, so its half is not whole
    return [Decimal(0), ceiling / 2, ceiling]


def _label(value: Decimal) -> str:
    return number(value.quantize(Decimal("0.0001")))
