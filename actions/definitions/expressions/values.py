"""The values of expressions: text, numbers, yes or no, null, lists and objects of JSON, dates, times and money.

Numbers are decimals of limited size. Nothing is converted silently: text never equals a number, and money can be
compared only with money in the same currency.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Context, Decimal, InvalidOperation, Overflow
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext_noop

from actions.argument_json import Number
from actions.deferred_text import DeferredText, Value, deferred
from actions.money import CURRENCY, Money, format_amount

MAX_TEXT: Final = 20_000
MAX_ENTRIES: Final = 10_000
MAX_DEPTH: Final = 20  # nesting of a structure that is compared or written
_LARGEST: Final = 18  # digits before the decimal point
_SMALLEST: Final = -18  # digits after the decimal point, as a negative number
CONTEXT: Final = Context(prec=36, traps=[InvalidOperation, Overflow])
_WRITTEN_DIGITS: Final = 40
_LONGEST: Final = timedelta(days=100_000)
NO_CONDITION: Final = gettext_noop("a condition must be true or false, but this is {kind}")
_TOO_DEEP: Final = gettext_noop("a structure is nested more than {most} levels deep")
_OFFSET: Final = re.compile(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}|UTC", re.ASCII)


class NoValue(ValueError):
    """An operation has no value; `why` says why, and the evaluator adds where."""

    def __init__(self, message: str, /, **values: Value) -> None:
        self.why = deferred(message, **values)
        super().__init__(self.why)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time to add to a time, or to a date if it consists of whole days."""

    length: timedelta


def value_of(given: Any) -> Any:
    """Return a value from JSON or from the server in the form that expressions use; lists and objects are unchanged.

    Raises NoValue for a number that is not finite or has more than 18 digits, an overlong text or an unknown type.
    """
    match given:
        case None | bool() | Money() | Span() | datetime() | date():
            return given
        case str():
            if len(given) > MAX_TEXT:
                raise NoValue(gettext_noop("text has more than {most} characters"), most=MAX_TEXT)
            return given
        case int():
            # The size is checked first: formatting an integer of a million digits takes seconds.
            return within_bounds(Decimal(given)) if abs(given) < 10**_LARGEST else _too_large()
        case Decimal():
            return within_bounds(given)
        case float():
            return number_from(repr(given))
        case Number():
            return number_from(given.text)
        case Mapping() | list() | tuple():
            if len(given) > MAX_ENTRIES:
                raise NoValue(gettext_noop("a list or an object has more than {most} entries"), most=MAX_ENTRIES)
            return given
    raise NoValue(gettext_noop("this kind of value cannot be used"))


def number_from(text: str) -> Decimal:
    if len(text) > _WRITTEN_DIGITS:
        raise NoValue(gettext_noop("a number has too many digits"))
    try:
        return within_bounds(Decimal(text))
    except InvalidOperation as error:
        raise NoValue(gettext_noop("a number is not valid")) from error


def within_bounds(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise NoValue(gettext_noop("a number is not finite"))
    if not number:
        return Decimal(0)
    if number.adjusted() >= _LARGEST:
        return _too_large()
    return number if number.adjusted() > _SMALLEST else Decimal(0)


def _too_large() -> Decimal:
    raise NoValue(gettext_noop("a number has more than {most} digits before the decimal point"), most=_LARGEST)


# Translators: the kinds of values, for sentences such as “a list is needed here, not text”
_NULL: Final = DeferredText(gettext_noop("null"))
_FLAG: Final = DeferredText(gettext_noop("true or false"))
_TEXT: Final = DeferredText(gettext_noop("text"))
_NUMBER: Final = DeferredText(gettext_noop("a number"))
_TIME: Final = DeferredText(gettext_noop("a time"))
_DATE: Final = DeferredText(gettext_noop("a date"))
_SPAN: Final = DeferredText(gettext_noop("a span of time"))
_MONEY: Final = DeferredText(gettext_noop("money"))
_OBJECT: Final = DeferredText(gettext_noop("an object"))
_LIST: Final = DeferredText(gettext_noop("a list"))


def kind_of(value: Any) -> DeferredText:
    """Return the name of a value's type for messages."""
    match value:
        case None:
            return _NULL
        case bool():
            return _FLAG
        case str():
            return _TEXT
        case Decimal():
            return _NUMBER
        case datetime():
            return _TIME
        case date():
            return _DATE
        case Span():
            return _SPAN
        case Money():
            return _MONEY
        case Mapping():
            return _OBJECT
    return _LIST


def equal(left: Any, right: Any, spend: "Spend", depth: int = 0) -> bool:
    """Return whether two values are equal; only null may be compared with a value of a different type."""
    spend(1)
    left, right = value_of(left), value_of(right)
    if left is None or right is None:
        return left is None and right is None
    require_same_kind(left, right)
    if depth >= MAX_DEPTH:
        raise NoValue(_TOO_DEEP, most=MAX_DEPTH)
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key], spend, depth + 1) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(
            equal(one, other, spend, depth + 1) for one, other in zip(left, right, strict=True)
        )
    return bool(left == right)


def less(left: Any, right: Any) -> bool:
    """Return whether `left` comes before `right`; text has no order."""
    require_same_kind(left, right)
    match left:
        case Decimal() | date():
            return bool(left < right)
        case Money():
            return bool(left.amount < right.amount)
        case Span():
            return bool(left.length < right.length)
    raise NoValue(gettext_noop("{kind} cannot be ordered; compare numbers, money, dates or times"), kind=kind_of(left))


# How to convert one of two values of different kinds so that they can be compared.
_HINTS: Final[Mapping[frozenset[str], str]] = {
    frozenset({_TEXT, _DATE}): gettext_noop("write date(…) around the text"),
    frozenset({_TEXT, _TIME}): gettext_noop("write time(…) around the text"),
    frozenset({_TEXT, _NUMBER}): gettext_noop("write number(…) around the text"),
    frozenset({_DATE, _TIME}): gettext_noop("write date(…) around the time"),
    frozenset({_SPAN, _NUMBER}): gettext_noop("write days(…) around the number"),
    frozenset({_MONEY, _NUMBER}): gettext_noop("write .amount after the amount of money"),
}
_INCOMPARABLE: Final = gettext_noop("{one} cannot be compared with {other}")
_NOT_ADDED: Final = gettext_noop("{one} and {other} cannot be added")
_NOT_SUBTRACTED: Final = gettext_noop("{one} and {other} cannot be subtracted")


def _with_hint(why: DeferredText, hint: str) -> DeferredText:
    return DeferredText(gettext_noop("{why}; {hint}"), why=why, hint=DeferredText(hint)) if hint else why


def require_same_kind(left: Any, right: Any) -> None:
    if kind_of(left) != kind_of(right):
        one, other = kind_of(left), kind_of(right)
        hint = _HINTS.get(frozenset({one, other}), "")
        raise NoValue(_with_hint(DeferredText(_INCOMPARABLE, one=one, other=other), hint))
    if isinstance(left, Money) and left.currency != right.currency:
        raise NoValue(_INCOMPARABLE, one=left.currency, other=right.currency)


def add(left: Any, right: Any, sign: int) -> Any:
    """Return left + right, or left - right for a `sign` of -1."""
    match left, right:
        case Decimal(), Decimal():
            return within_bounds(CONTEXT.add(left, right if sign > 0 else -right))
        case Money(), Money():
            if left.currency != right.currency:
                raise NoValue(_NOT_ADDED, one=left.currency, other=right.currency)
            return Money(add(left.amount, right.amount, sign), left.currency)
        case Span(), Span():
            return span(left.length + sign * right.length)
        case (datetime(), datetime()) | (date(), date()) if sign < 0 and kind_of(left) == kind_of(right):
            return span(left - right)
        case date(), Span():  # a datetime is a date too
            return _moved(left, sign * right.length)
    if isinstance(left, str) and isinstance(right, str):
        raise NoValue(gettext_noop("text is joined in a template such as {a} {b}, not with +"))
    is_day_and_number = isinstance(left, date) and isinstance(right, Decimal)
    hint = gettext_noop("write days(28) for a number of days") if is_day_and_number else ""
    why = DeferredText(_NOT_ADDED if sign > 0 else _NOT_SUBTRACTED, one=kind_of(left), other=kind_of(right))
    raise NoValue(_with_hint(why, hint))


def span(length: timedelta) -> Span:
    if abs(length) > _LONGEST:
        raise NoValue(gettext_noop("a span of time can have at most {most} days"), most=_LONGEST.days)
    return Span(length)


def _moved(day: date, length: timedelta) -> date:
    if not isinstance(day, datetime) and length % timedelta(days=1):
        raise NoValue(gettext_noop("only whole days can be added to a date; write time(...) for hours"))
    try:
        return day + length
    except OverflowError as error:
        raise NoValue(gettext_noop("this date is out of range")) from error


def multiply(left: Any, right: Any) -> Any:
    match left, right:
        case Decimal(), Decimal():
            return within_bounds(CONTEXT.multiply(left, right))
        case (Money(), Decimal()):
            return Money(multiply(left.amount, right), left.currency)
        case (Decimal(), Money()):
            return multiply(right, left)
    raise NoValue(gettext_noop("{one} and {other} cannot be multiplied"), one=kind_of(left), other=kind_of(right))


def divide(left: Any, right: Any) -> Any:
    match left, right:
        case (Decimal() | Money(), Decimal()) if not right:
            raise NoValue(gettext_noop("division by zero"))
        case Decimal(), Decimal():
            return within_bounds(CONTEXT.divide(left, right))
        case Money(), Decimal():
            return Money(divide(left.amount, right), left.currency)
    raise NoValue(gettext_noop("{one} cannot be divided by {other}"), one=kind_of(left), other=kind_of(right))


def money(amount: Any, currency: Any) -> Money:
    """Return money. The amount may be the text of a number, since many shops write amounts as text."""
    figure = number_from(amount) if isinstance(amount, str) else amount
    if not isinstance(figure, Decimal) or not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise NoValue(gettext_noop('money takes a number and three capital letters: money(12.50, "EUR")'))
    return Money(figure, currency)


def date_of(value: Any, now: datetime) -> date:
    """Return the day of a date, a time or an ISO string; a time counts in the zone of `now`."""
    if isinstance(value, str):
        text = value.strip()
        # Text without an offset is in the shop's time zone, so it already names the right day.
        if len(text) == 10 or _naive(text):
            return _iso_date(text[:10])
        value = time_of(text)
    if isinstance(value, datetime):
        return value.astimezone(now.tzinfo).date()
    if isinstance(value, date):
        return value
    raise NoValue(gettext_noop("{kind} is not a date"), kind=kind_of(value))


def full_years(start: date, end: date) -> int:
    """Return the number of full years between two days, counted like a person's age; negative if `end` is before
    `start`. A person born on 29 February turns a year older on 1 March in common years.
    """
    if end < start:
        return -full_years(end, start)
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def _naive(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _iso_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NoValue(gettext_noop("write the date like this: 2026-05-31")) from error


def time_of(value: Any, zone: Any = None) -> datetime:
    """Return an aware time from a time or an ISO string. `zone` ("-05:00", or a name from the tz database) applies to a
    time, and to a string in UTC or without an offset.
    """
    if isinstance(value, datetime):
        return value if zone is None else value.astimezone(_zone(zone))
    if not isinstance(value, str):
        raise NoValue(gettext_noop("{kind} is not a time"), kind=kind_of(value))
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise NoValue(gettext_noop("write the time like this: 2026-05-31T10:00:00+02:00")) from error
    if moment.tzinfo is not None:
        return moment if zone is None or moment.utcoffset() else moment.astimezone(_zone(zone))
    if zone is None:
        raise NoValue(
            gettext_noop('a time needs its offset, such as +02:00 or Z; otherwise, write time(..., "Europe/Berlin")')
        )
    return moment.replace(tzinfo=_zone(zone))


def _zone(name: Any) -> tzinfo:
    if isinstance(name, str) and _OFFSET.fullmatch(name):
        return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo or UTC
    if isinstance(name, str) and _ZONE.fullmatch(name) and len(name) <= 60:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise NoValue(gettext_noop("there is no time zone with this name")) from error
    raise NoValue(gettext_noop('write the time zone like this: "-05:00" or "Europe/Berlin"'))


def plain_number(number: Decimal) -> str:
    """Return digits without an exponent or trailing zeros: "12.5", "300"."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_text(value: Any) -> str:
    """Return a single value as text; raises NoValue for a list, an object or null."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Decimal():
            return plain_number(value)
        case Money():
            return format_amount(value.amount, value.currency)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
    raise NoValue(gettext_noop("{kind} is not a single piece of text"), kind=kind_of(value))


def as_json(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON types whose numbers are int or Decimal; money becomes the text of its amount."""
    value = value_of(value)
    if depth > MAX_DEPTH:
        raise NoValue(_TOO_DEEP, most=MAX_DEPTH)
    match value:
        case None | bool() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else value
        case Mapping():
            return {str(key): as_json(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item, depth + 1) for item in value]
    return as_text(value)


def json_text(value: Any) -> str:
    """Return JSON text of what `as_json` returns; decimals keep their digits."""
    match value:
        case Decimal():
            return plain_number(value)
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(key))}:{json_text(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(json_text(item) for item in value) + "]"
    return json.dumps(value)


class Spend:
    """A counter of steps; it raises NoValue when none are left."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def __call__(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise NoValue(gettext_noop("this takes too many steps"))
