"""The figures, charts and tables of the overview: how the conversations in a period ended.

A trend is shown only for 30 or more conversations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext

from supportbot.console.charts import legend_of, lines, stacked
from supportbot.console.conversations.endings import definitions, label_of
from supportbot.console.conversations.reporting_period import SPANS, Span, span_of
from supportbot.console.display import amounts, duration_in_words, percent
from supportbot.insights.conversation_figures import Figures, Spread
from supportbot.insights.daily_sums import Sums, added, figures_from, sums_of
from supportbot.insights.outcome_rules import ALONE, NOT_SOLVED, Ending
from supportbot.insights.outcomes import begun_in, outcomes
from supportbot.insights.stored_daily_sums import are_many, stored_total, sums_by_day, whole_days
from supportbot.team_formats import number, percentage

ENOUGH_FOR_A_TREND: Final = 30


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, with its meaning and a link."""

    label: str
    value: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class Trend:
    """The number of conversations in this period and in the previous one, and the share of unsolved ones in the
    previous one. The share is None if the two cannot be compared.
    """

    now: int
    before: int
    not_solved_before: float | None


def quality(days: int, *, sees_cost: bool) -> dict[str, Any]:
    """Return the figures and charts for the selected days."""
    span = span_of(days)
    sums = whole_days(sums_by_day(span.days))
    figures = figures_from(added(sums.values()))
    return {
        "span": days,
        "spans": SPANS,
        "figures": _figures(span, figures, _trend(span, sums, figures), sees_cost=sees_cost),
        "ends": _drawn(span, sums),
        "definitions": definitions(),
        "waits": _waits(span, sums),
    }


def _figures(span: Span, figures: Figures, trend: Trend, *, sees_cost: bool) -> list[Figure]:
    listed = f"{reverse('admin:results')}?days={len(span.days)}"
    found = [
        Figure(gettext("Conversations"), number(figures.total), _growth(len(span.days), figures, trend), listed),
        Figure(gettext("Solved by the assistant"), percent(figures.share(*ALONE)), _alone(figures), listed),
        Figure(gettext("Not solved"), percent(figures.share(*NOT_SOLVED)), _worse(figures, trend), listed),
        Figure(
            gettext("Time to resolution"), duration_in_words(figures.resolution.median), _most_resolved(figures), listed
        ),
        Figure(
            gettext("First response after"), duration_in_words(figures.first_response.median), _most(figures), listed
        ),
        Figure(gettext("Satisfied"), percent(figures.satisfied), _rated(figures), f"{listed}&by=agent"),
    ]
    if sees_cost:
        each = amounts(figures.cost_of_each())
        found.append(
            Figure(
                gettext("Cost of a conversation"), each, _solved_at(figures), reverse("admin:llm_llmcall_changelist")
            )
        )
    return found


def _solved_at(figures: Figures) -> str:
    if not figures.costs:
        return gettext("no model call had a price")
    return gettext("{amount} per solved conversation").format(amount=amounts(figures.cost_of_each(*ALONE)))


def _trend(span: Span, sums: Mapping[date, Sums], figures: Figures) -> Trend:
    """Compare with the preceding period up to the same time of day, because today is not over yet.

    If there are many conversations, or some have been erased, only the numbers on complete days are compared. Outcomes
    would not be comparable, because customers from the earlier period have had more time to come back.
    """
    before = span.before()
    whole = Trend(sum(sums[day].total for day in span.days[:-1]), stored_total(before.days[:-1]), None)
    if are_many((*before.days, *span.days)):
        return whole
    until = localtime() - timedelta(days=len(span.days))
    rows = outcomes(begun_in(before.since, until), until)
    former_figures = figures_from(added(sums_of(rows, lambda row: None).values()))
    if whole.before > former_figures.total:  # some have been erased since
        return whole
    return Trend(figures.total, former_figures.total, former_figures.share(*NOT_SOLVED))


def _alone(figures: Figures) -> str:
    if not figures.total:
        return gettext("none yet")
    confirmed, silent = parts_of(round(figures.share(*ALONE) or 0), [figures.number(one) for one in ALONE])
    return gettext("{confirmed} confirmed, {silent} silent").format(
        confirmed=percent(confirmed), silent=percent(silent)
    )


def _growth(days: int, figures: Figures, trend: Trend) -> str:
    total, once = trend.now, trend.before
    a_day = figures.total / days
    a_day = round(a_day) if a_day >= 10 else float(f"{a_day:.{1 if a_day < 1 else 2}g}")
    rate = gettext("{number} a day").format(number=number(a_day))
    if min(total, once) < ENOUGH_FOR_A_TREND:
        return rate
    change = round(100 * (total - once) / once)
    if not change:
        return gettext("{rate}, as before").format(rate=rate)
    words = gettext("{rate}, {share} more") if change > 0 else gettext("{rate}, {share} fewer")
    return words.format(rate=rate, share=percentage(abs(change)))


def _worse(figures: Figures, trend: Trend) -> str:
    gone, once = figures.share(*NOT_SOLVED), trend.not_solved_before
    total = figures.number(*NOT_SOLVED)
    words = ngettext("{number} conversation", "{number} conversations", total).format(number=number(total))
    if gone is None or once is None or min(trend.now, trend.before) < ENOUGH_FOR_A_TREND:
        return words
    points = round(gone - once, 1)
    if not points:
        return gettext("unchanged, {conversations}").format(conversations=words)
    by = (
        gettext("{points} points worse, {conversations}")
        if points > 0
        else gettext("{points} points better, {conversations}")
    )
    return by.format(points=number(abs(points)), conversations=words)


def _most_resolved(figures: Figures) -> str:
    if not figures.resolution.number:
        return gettext("none yet")
    return gettext("9 in 10 within {time}, including the time people took").format(
        time=duration_in_words(figures.resolution.most)
    )


def _most(figures: Figures) -> str:
    if not figures.first_response.number:
        return gettext("no answers yet")
    return gettext("19 in 20 within {time}").format(time=duration_in_words(figures.first_response.most))


def _rated(figures: Figures) -> str:
    if not figures.ratings:
        return gettext("no ratings yet")
    return ngettext("4 or 5 out of 5, {number} rating", "4 or 5 out of 5, {number} ratings", figures.ratings).format(
        number=number(figures.ratings)
    )


def parts_of(whole: int, numbers: Sequence[int]) -> list[int]:
    """Divide a whole percentage in proportion to these numbers, with the largest remainder method. The parts are whole
    percentages that add up to it.
    """
    total = sum(numbers)
    if not total:
        return [0 for _ in numbers]
    parts = [whole * one // total for one in numbers]
    by_remainder = sorted(range(len(numbers)), key=lambda place: -(whole * numbers[place] % total))
    for place in by_remainder[: whole - sum(parts)]:
        parts[place] += 1
    return parts


def _drawn(span: Span, sums: Mapping[date, Sums]) -> dict[str, Any]:
    """Return each day's conversations by ending, as a chart and a table."""
    series = {
        label_of(ending): {day: Decimal(one.endings[ending]) for day, one in sums.items() if one.endings[ending]}
        for ending in Ending
    }
    return {
        "chart": stacked(span.days, series),
        "legend": [(place, name, number(total)) for place, name, total in legend_of(series)],
        "kinds": list(series),
        "table": [(day, [of_day.get(day, 0) for of_day in series.values()]) for day in reversed(span.days)],
    }


def _waits(span: Span, sums: Mapping[date, Sums]) -> dict[str, Any]:
    """Return how long customers waited for a person, as text, a table and, if there are enough waits, a chart."""
    spread = added(sums.values()).wait
    days = {day: one.wait for day, one in sums.items()}
    waited = {day: one for day, one in days.items() if one.number}
    series = {
        gettext("Half within"): {day: _minutes(one.median) for day, one in waited.items()},
        gettext("9 in 10 within"): {day: _minutes(one.most) for day, one in waited.items()},
    }
    is_enough = spread.number >= ENOUGH_FOR_A_TREND
    return {
        "number": spread.number,
        "number_in_words": number(spread.number),
        "median": duration_in_words(spread.median),
        "most": duration_in_words(spread.most),
        "chart": lines(span.days, series) if is_enough else None,
        "legend": [(place, name, None) for place, name in enumerate(series, start=1)],
        "table": [_wait_row(day, days[day]) for day in reversed(span.days)],
    }


def _minutes(took: timedelta | None) -> Decimal:
    return round(Decimal((took or timedelta()).total_seconds()) / 60, 1)


def _wait_row(day: date, one: Spread) -> tuple[date, int, str, str]:
    return day, one.number, duration_in_words(one.median), duration_in_words(one.most)
