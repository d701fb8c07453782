"""Results: outcomes of conversations by channel, language, agent, day or hour. A day also shows the releases and
articles that went live on it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_noop, ngettext

from kb.models import Article, State
from supportbot.console.conversations.endings import definitions
from supportbot.console.conversations.reporting_period import SPANS, Span, asked_span, outcomes_of, span_of
from supportbot.console.display import amounts, duration_in_words, percent
from supportbot.console.draft_usage import rows_by_person
from supportbot.console.permissions import may
from supportbot.console.request_context import needs
from supportbot.formats import language_name
from supportbot.insights.conversation_export import write_csv
from supportbot.insights.conversation_figures import Figures
from supportbot.insights.daily_sums import Sums, added, figures_from, satisfied
from supportbot.insights.outcome_rules import ALONE, NOT_SOLVED, Ending
from supportbot.insights.stored_daily_sums import by_value, sums_by_day, whole_days
from supportbot.query_parameters import one_of
from supportbot.releases.models import Release
from supportbot.team_formats import active_language, number, weekday
from supportbot.team_formats import day as day_in_words

HOURS: Final = tuple(range(24))
SHADES: Final = 5
MOST_NAMED: Final = 3  # maximum number of articles shown per day; an import can publish hundreds
_STORED: Final = {"day": ""}  # the other properties are stored under their own names
_TITLES: Final = {
    "channel": gettext_noop("Channel"),
    "language": gettext_noop("Language"),
    "agent": gettext_noop("Person"),
    "day": gettext_noop("Day"),
    "hour": gettext_noop("Hour"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A release or article that went live, with its link. An entry without a link stands for several articles."""

    words: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one group, as text."""

    name: str
    total: str
    cells: tuple[str, ...]
    cost: str
    changes: tuple[Change, ...] = ()


def results(request: HttpRequest) -> HttpResponse:
    """Show the figures for the selected days, grouped by one property of the conversations."""
    person = needs(request, "conversations:read")
    span = span_of(asked_span(request))
    by = one_of("by", request.GET.get("by", "channel"), _TITLES)
    sums = sums_by_day(span.days, _STORED.get(by, by))
    days = whole_days(sums)
    groups = by_value(sums)
    context = {
        **admin.site.each_context(request),
        "title": gettext("Results"),
        "span": len(span.days),
        "spans": SPANS,
        "by": by,
        "kinds": [(kind, gettext(title)) for kind, title in _TITLES.items()],
        "heading": gettext(_TITLES[by]),
        "rows": _by_day(days, changes_of(span, person)) if by == "day" else _rows(by, groups),
        "whole": _row(gettext("All"), figures_from(added(groups.values()))),
        "sees_cost": may(person, "costs:read"),
        "definitions": definitions(),
        "busy": _busy(sums) if by == "hour" and any(sums.values()) else (),
        "hours": HOURS,
        "drafts": rows_by_person(span) if by == "agent" else (),
    }
    return render(request, "console/results.html", context)


def results_as_csv(request: HttpRequest) -> HttpResponse:
    """Return the conversations of the selected days as CSV, one per row."""
    person = needs(request, "conversations:read")
    span = span_of(asked_span(request))
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"conversations-{span.days[-1]}-{len(span.days)}-days.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    write_csv(answer, outcomes_of(span), sees_cost=may(person, "costs:read"))
    return answer


def former_csv(request: HttpRequest) -> HttpResponse:
    """Redirect from the export's former address to the current one."""
    query = request.GET.urlencode()
    return redirect(f"{reverse('admin:results-csv')}{'?' if query else ''}{query}")


def _rows(by: str, groups: Mapping[str, Sums]) -> list[Row]:
    rows = _people(groups) if by == "agent" else _figures(groups)
    names = sorted(rows, key=int if by == "hour" else lambda name: -rows[name].total)
    return [_row(_name(by, name), rows[name]) for name in names]


def _by_day(groups: Mapping[date, Sums], changes: Mapping[date, Sequence[Change]]) -> list[Row]:
    """Return the days that had conversations or changes, newest first."""
    days = [day for day in sorted(groups, reverse=True) if groups[day].total or changes.get(day)]
    return [
        replace(
            _row(day_in_words(day, with_year=False), figures_from(groups[day])), changes=tuple(changes.get(day, ()))
        )
        for day in days
    ]


def _figures(groups: Mapping[Any, Sums]) -> dict[Any, Figures]:
    return {name: figures_from(one) for name, one in groups.items() if one.total}


def _people(groups: Mapping[Any, Sums]) -> dict[Any, Figures]:
    """Return the figures of each person and of the assistant. Each includes only the ratings of their own messages."""
    assistant = figures_from(added(groups.values())).assistant_satisfied
    return {
        name: replace(figures, satisfied=satisfied(groups[name].person_scores) if name else assistant)
        for name, figures in _figures(groups).items()
    }


def _name(by: str, value: Any) -> str:
    if by == "hour":
        return f"{int(value):02}:00"
    if not value:
        return {"agent": gettext("The assistant alone"), "channel": gettext("No channel")}.get(by, "–")
    return language_name(value, active_language()) if by == "language" else str(value)


def _row(name: str, figures: Figures) -> Row:
    cells = (
        percent(figures.share(*ALONE)),
        percent(figures.share(Ending.PERSON)),
        percent(figures.share(*NOT_SOLVED)),
        percent(figures.satisfied),
        duration_in_words(figures.resolution.median),
    )
    return Row(name, number(figures.total), cells, amounts(figures.cost_of_each()))


def _busy(sums: Mapping[date, Mapping[str, Sums]]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Return the number of conversations in each hour of each weekday, with a shade from 0 to 4."""
    counts = dict.fromkeys([(day, hour) for day in range(7) for hour in HOURS], 0)
    for day, of_hour in sums.items():
        for hour, one in of_hour.items():
            counts[day.weekday(), int(hour)] += one.total
    most = max(counts.values())
    return [
        (weekday(place), [(counts[place, hour], -(-counts[place, hour] * (SHADES - 1) // most)) for hour in HOURS])
        for place in range(7)
    ]


def changes_of(span: Span, person: Any) -> Mapping[date, Sequence[Change]]:
    """Return the releases and articles that went live on each day, if the person may read them. Only an article's
    newest publication is known.
    """
    found: defaultdict[date, list[Change]] = defaultdict(list)
    if may(person, "releases:read"):
        for release in Release.objects.filter(published_at__gte=span.since, published_at__lt=span.until):
            href = reverse("admin:releases_release_change", args=[release.pk])
            found[_day(release.published_at)].append(
                Change(str(gettext("Release {number}")).format(number=release.number), href)
            )
    if may(person, "kb:read"):
        for day, articles in _articles(span).items():
            found[day] += _named(articles)
    return found


def _articles(span: Span) -> Mapping[date, Sequence[Article]]:
    live = Article.objects.filter(state=State.LIVE, published_at__gte=span.since, published_at__lt=span.until)
    found: defaultdict[date, list[Article]] = defaultdict(list)
    for article in live.annotate(name=F("live_revision__title")).only("pk", "published_at").order_by("published_at"):
        found[_day(article.published_at)].append(article)
    return found


def _named(articles: Sequence[Any]) -> list[Change]:
    if len(articles) > MOST_NAMED:
        words = ngettext("{number} article", "{number} articles", len(articles))
        return [Change(words.format(number=number(len(articles))))]
    return [Change(one.name, reverse("admin:kb_article_change", args=[one.pk])) for one in articles]


def _day(at: Any) -> date:
    return localtime(at).date()
