"""A team's business hours: days of the week and one range of hours, in the workspace's time zone. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, tzinfo
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from supportbot.formats import format_time_of_day, format_weekdays, time_zone_name

DAYS: Final = range(7)  # Monday is 0
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """The days and the times of day at which the team is available."""

    days: tuple[int, ...]
    opens: time
    closes: time

    def in_words(self, locale: str, zone: tzinfo) -> str:
        """Return the hours as text, such as "Monday–Friday, 09:00–18:00 (Central European Time)".

        `zone` is the workspace's time zone. The text names it because all other times in the chat are in the customer's
        own zone.
        """
        opens, closes = (format_time_of_day(moment, locale) for moment in (self.opens, self.closes))
        return f"{format_weekdays(self.days, locale)}, {opens}–{closes} ({time_zone_name(zone, locale)})"


def hours_of(stored: Mapping[str, Any]) -> Hours | None:
    """Return the business hours in their stored form as `Hours`, or None if none are set."""
    if not stored:
        return None
    opens, closes = (time.fromisoformat(stored[name]) for name in ("opens", "closes"))
    return Hours(tuple(stored["days"]), opens, closes)


def validate_hours(value: object) -> None:
    """Raise ValidationError unless `value` is {} or {"days": [0, …], "opens": "09:00", "closes": "18:00"}."""
    if value == {}:
        return
    is_whole = isinstance(value, dict) and set(value) == {"days", "opens", "closes"}
    if not is_whole or not _are_days(value["days"]) or not all(_is_time(value[name]) for name in ("opens", "closes")):  # type: ignore[index]
        raise ValidationError(gettext("Choose the days, and enter both times, such as 09:00 and 18:00."))
    if value["opens"] >= value["closes"]:  # type: ignore[index]
        raise ValidationError(gettext("The end must be after the start."))


def _are_days(days: object) -> bool:
    return isinstance(days, list) and bool(days) and all(day in DAYS for day in days) and days == sorted(set(days))


def _is_time(text: object) -> bool:
    return isinstance(text, str) and _TIME.fullmatch(text) is not None
