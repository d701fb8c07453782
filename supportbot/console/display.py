"""Formats states, times, durations, shares, costs and errors for pages. States can be read without their colour."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from supportbot.errors import SupportBotError
from supportbot.handoff.templatetags.desk import icon
from supportbot.llm.selectors import currency_of_costs
from supportbot.team_formats import cost, date_time, number, percentage

ICONS: Final = {"ok": "check", "warn": "clock", "bad": "x-circle", "info": "info", "accent": "edit"}
_UNITS: Final = (
    (86400, 3600, gettext_noop("{many} d"), gettext_noop("{many} d {rest} h")),
    (3600, 60, gettext_noop("{many} h"), gettext_noop("{many} h {rest} min")),
    (60, 1, gettext_noop("{many} min"), gettext_noop("{many} min {rest} s")),
)


def tag(kind: str, words: str) -> SafeString:
    """Return a tag. `kind` is ok, warn, bad, info, accent or empty."""
    drawn = icon(ICONS[kind]) if kind else ""
    return format_html('<span class="tag {}">{}{}</span>', kind, drawn, words)


def moment_in_words(moment: datetime | None, *, otherwise: str = "") -> str:
    """Return a time in the workspace's time zone, with the year unless it is the current one.

    If there is no time, return `otherwise` (by default "never").
    """
    if moment is None:
        return otherwise or gettext("never")
    is_this_year = timezone.localtime(moment).year == timezone.localtime().year
    return date_time(moment, with_year=not is_this_year)


def error_text(refusal: SupportBotError) -> str:
    """Return the messages of an error's fields, or the error's own message if there are none."""
    messages = [text for texts in refusal.fields.values() for text in texts]
    return " ".join(messages) or refusal.message


def duration_in_words(took: timedelta | None) -> str:
    """Return a duration, such as "1.3 s", "52 s", "1 min 52 s", "2 h 5 min" or "3 d 4 h"; "–" for None."""
    if took is None:
        return "–"
    seconds = max(took.total_seconds(), 0.0)
    if seconds < 10:
        return gettext("{number} s").format(number=number(seconds, decimals=1))
    whole = round(seconds)
    for size, small_size, even, with_rest in _UNITS:
        if whole >= size:
            many, rest = whole // size, whole % size // small_size
            return gettext(with_rest if rest else even).format(many=many, rest=rest)
    return gettext("{number} s").format(number=whole)


def percent(share: float | None) -> str:
    """Return a share with its sign, or a dash for None."""
    return "–" if share is None else percentage(share)


def amounts(costs: Mapping[str, Decimal]) -> str:
    """Return the cost in each currency, or a dash if nothing has a price. Zero is shown only if all costs are zero."""
    paid = {currency: amount for currency, amount in costs.items() if currency}
    free = {currency_of_costs(): Decimal(0)} if costs and not paid else {}
    return ", ".join(cost(amount, currency) for currency, amount in sorted({**free, **paid}.items())) or "–"
