"""The functions of expressions that take plain values. Functions that bind a name are in `expression.py`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.expressions.values import (
    CONTEXT,
    NoValue,
    Spend,
    add,
    as_text,
    date_of,
    equal,
    full_years,
    kind_of,
    less,
    money,
    number_from,
    span,
    time_of,
    value_of,
)  # fmt: skip
from actions.money import Money

_DECIMALS: Final = 10
_DAYS: Final = 100_000


def call(function: str, arguments: Sequence[Any], *, now: Callable[[], datetime], spend: Spend) -> Any:
    """Return a function's value; raises NoValue. The parser has checked the name and the number of arguments."""
    first, rest = arguments[0], list(arguments[1:])
    match function:
        case "sum":
            return total([value_of(item) for item in a_list(first)], spend)
        case "count":
            return Decimal(len(a_list(first)))
        case "min" | "max":
            return _extreme(a_list(first) if not rest else arguments, function == "max", spend)
        case "distinct":
            return _distinct(a_list(first), spend)
        case "len":
            return _length(first)
        case "lower":
            return a_text(first, spend).lower()
        case "round":
            return _rounded(first, rest[0] if rest else Decimal(0))
        case "abs":
            return _absolute(first)
        case "days_between" | "years_between":
            start, end = (date_of(value, now()) for value in arguments)
            return Decimal((end - start).days if function == "days_between" else full_years(start, end))
        case "date":
            return date_of(first, now())
        case "time":
            return _time(first, rest, now)
        case "days" | "hours":
            return span(timedelta(**{function: _whole(first, _DAYS)}))
        case "money":
            return money(first, rest[0])
        case "number":
            return number_from(first.strip()) if isinstance(first, str) else a_number(first)
        case "text":
            return as_text(first)
        case "keys":
            return list(_an_object(first))
        case "values":
            return list(_an_object(first).values())
    raise NoValue(gettext_noop("there is no function {function}"), function=function)


def _time(value: Any, zone: Sequence[Any], now: Callable[[], datetime]) -> datetime:
    """Return an aware time; if no zone is given, a time in UTC is converted to the time zone of `now`."""
    moment = time_of(value, *zone)
    # UTC does not say where something happens; any other offset is that of the place. Servers write UTC as Z or as
    # +00:00, which is also the offset of London in winter: for such places, the zone must be given.
    return moment if zone or moment.utcoffset() else moment.astimezone(now().tzinfo)


def a_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise NoValue(gettext_noop("a list is needed here, not {kind}"), kind=kind_of(value))
    return value


def a_text(value: Any, spend: Spend) -> str:
    if not isinstance(value, str):
        raise NoValue(gettext_noop("text is needed here, not {kind}"), kind=kind_of(value))
    spend(len(value) // 100)  # long texts cost more steps
    return value


def a_number(value: Any) -> Decimal:
    if not isinstance(value, Decimal):
        raise NoValue(gettext_noop("a number is needed here, not {kind}"), kind=kind_of(value))
    return value


def total(values: Sequence[Any], spend: Spend) -> Any:
    """Return the sum of numbers or of money in one currency; 0 if there are none."""
    spend(len(values))
    result: Any = Decimal(0)
    for place, value in enumerate(values):
        if not isinstance(value, Decimal | Money):
            raise NoValue(gettext_noop("only numbers and money can be added, not {kind}"), kind=kind_of(value))
        result = value if place == 0 else add(result, value, 1)
    return result


def _an_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NoValue(gettext_noop("an object is needed here, not {kind}"), kind=kind_of(value))
    return value


def _whole(value: Any, largest: int) -> int:
    number = a_number(value)
    if number != number.to_integral_value() or abs(number) > largest:
        raise NoValue(gettext_noop("a whole number up to {most} is needed here"), most=largest)
    return int(number)


def _extreme(values: Sequence[Any], largest: bool, spend: Spend) -> Any:
    spend(len(values))
    if not values:
        raise NoValue(gettext_noop("an empty list has no smallest and no largest value"))
    best = value_of(values[0])
    for item in values[1:]:
        value = value_of(item)
        if less(best, value) if largest else less(value, best):
            best = value
    less(best, best)  # a single value must be comparable, too
    return best


def _distinct(values: Sequence[Any], spend: Spend) -> list[Any]:
    kept: list[Any] = []
    for item in values:
        if not any(equal(item, other, spend) for other in kept):
            kept.append(item)
    return kept


def _length(value: Any) -> Decimal:
    if not isinstance(value, str | list | tuple | Mapping):
        raise NoValue(gettext_noop("{kind} has no length"), kind=kind_of(value))
    return Decimal(len(value))


def _rounded(value: Any, places: Any) -> Any:
    """Return the value with halves rounded away from zero, as on invoices."""
    if isinstance(value, Money):
        return Money(_rounded(value.amount, places), value.currency)
    unit = Decimal(1).scaleb(-_whole(places, _DECIMALS))
    try:
        return a_number(value).quantize(unit, rounding=ROUND_HALF_UP, context=CONTEXT)
    except InvalidOperation as error:
        raise NoValue(gettext_noop("this number cannot be rounded")) from error


def _absolute(value: Any) -> Any:
    return Money(abs(value.amount), value.currency) if isinstance(value, Money) else abs(a_number(value))
