"""Sentences about the minimum and maximum of a field according to its schema. Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from supportbot.builtin.actions.form_fields import Shape
from supportbot.builtin.phrases import Phrase, say
from supportbot.formats import format_day, format_number

_NUMBERS: Final = ("minimum", "maximum")
_DAYS: Final = ("formatMinimum", "formatMaximum")  # ISO 8601
_MONTHS: Final = 12
_OF_NUMBERS: Final[tuple[Phrase, Phrase, Phrase]] = ("number_range", "number_from", "number_until")
_OF_DAYS: Final[tuple[Phrase, Phrase, Phrase]] = ("day_range", "day_from", "day_until")


def takes_number(shape: Shape, number: Decimal) -> bool:
    least, greatest = (shape.get(name) for name in _NUMBERS)
    return (least is None or _decimal(least) <= number) and (greatest is None or number <= _decimal(greatest))


def takes_day(shape: Shape, day: date) -> bool:
    least, greatest = (shape.get(name) for name in _DAYS)
    return (least is None or least <= day.isoformat()) and (greatest is None or day.isoformat() <= greatest)


def example_day(shape: Shape) -> date | None:
    """Return the first allowed day whose number cannot be a month, so that it shows the order of a date's parts. Return
    None if the schema does not set both bounds or allows no such day.
    """
    if not shape.keys() >= {*_DAYS}:
        return None
    least, greatest = (date.fromisoformat(shape[name]) for name in _DAYS)
    first = least if least.day > _MONTHS else least.replace(day=_MONTHS + 1)
    return first if first <= greatest else None


def number_bounds(shape: Shape, language: str) -> str:
    """Return a sentence with the allowed range of a number in the customer's format; "" if the schema sets none."""
    if shape.get("type") == "integer":
        if not shape.keys() >= {*_NUMBERS}:
            return ""
        return say("whole_number", language, minimum=str(shape["minimum"]), maximum=str(shape["maximum"]))
    written = [format_number(_decimal(shape[name]), language) if name in shape else "" for name in _NUMBERS]
    return _said(_OF_NUMBERS, written, language)


def day_bounds(shape: Shape, language: str) -> str:
    """Return a sentence with the allowed range of a day; "" if the schema sets none."""
    written = [format_day(date.fromisoformat(shape[name]), language) if name in shape else "" for name in _DAYS]
    return _said(_OF_DAYS, written, language)


def _said(phrases: tuple[Phrase, Phrase, Phrase], bounds: Sequence[str], language: str) -> str:
    both, only_least, only_greatest = phrases
    least, greatest = bounds
    if least and greatest:
        return say(both, language, minimum=least, maximum=greatest)
    if least:
        return say(only_least, language, minimum=least)
    return say(only_greatest, language, maximum=greatest) if greatest else ""


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))
