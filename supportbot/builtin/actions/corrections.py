"""What a message changes about a card: "I meant the 27th", "no, order 4412", "make it 2 of them". Pure but for
`intents`.

A message that says only a day of the month means the month of the card's day, a day without a year the nearest one, and
a value in the form of the card's own number is another such number.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any, Final

from supportbot.builtin.actions.slots import Intent, fields_of, kind_of, slots_in
from supportbot.language.dates import Day, days_in
from supportbot.language.detection import detect
from supportbot.language.figures import figures_in
from supportbot.language.operators import operators
from supportbot.llm.types import ToolSpec

MOST_WORDS: Final = 24  # of a message that only corrects something
# Digits with the mark of an ordinal in any language ("27th", "27.", "27'si"), or alone.
_DAY_OF_MONTH: Final = re.compile(
    r"(?<![\w.,:/€$£-])(?P<day>0?[1-9]|[12]\d|3[01])(?P<mark>\.(?=\s)|[ºª]|[-'’]?[^\W\d_]{1,4})?(?![\w€$£%]|[.,:/-]\d)"
)
_DIGIT: Final = re.compile(r"\d")  # of any script
_CODE: Final = re.compile(r"(?=\S*\d)[\w#/.-]{1,40}", re.ASCII)
_OTHERS: Final = ("time", "money", "measure", "date")  # kinds of figures that are no day of the month


def corrected(tool: ToolSpec, intent: Intent, text: str, *, locale: str, written_on: date | None) -> Intent:
    """Return the values that a text gives for an intent instead of its own, without those that stay as they are."""
    given = slots_in(tool, text, locale=locale, written_on=written_on)
    values = {**_numbers_of_the_same_form(tool, intent, text), **_number(tool, intent, text, locale), **given.values}
    values = {**_days(tool, intent, text, locale, written_on, taken=values), **values}
    changed = {name: value for name, value in values.items() if value != intent.values.get(name)}
    order = given.order if given.order != intent.order else None
    return replace(given, order=order, values=changed)


def is_further(text: str, locale: str) -> bool:
    """Return whether a message asks for something in addition: "and 4413 too"."""
    return bool(operators(text, detect(text, locale)).get("also"))


def names_another_record(tool: ToolSpec, intent: Intent, given: Intent) -> bool:
    """Return whether a correction names another record than the card: its order, or a number that is no quantity."""
    fields = fields_of(tool)
    if not tool.chosen.isdisjoint(given.values):
        return True
    kinds = (kind_of(name, fields[name]) for name in given.values if name in intent.values)
    return given.order is not None or any(kind in ("pattern", "text") for kind in kinds)


def _number(tool: ToolSpec, intent: Intent, text: str, locale: str) -> dict[str, Any]:
    """Return the number that a text gives for the only one of a card, as if it had been asked for."""
    names = [name for name, shape in fields_of(tool).items() if kind_of(name, shape) == "number"]
    if len(names) != 1 or names[0] not in intent.values:
        return {}
    found = slots_in(tool, text, asked=names[0], locale=locale).values
    return {name: found[name] for name in names if name in found}


def _numbers_of_the_same_form(tool: ToolSpec, intent: Intent, text: str) -> dict[str, str]:
    """Return other numbers for the records that a card names by free text: "4412" instead of "4411"."""
    found: dict[str, str] = {}
    for name, shape in fields_of(tool).items():
        is_chosen = name in tool.chosen
        before = _newest_code(intent.text) if is_chosen else intent.values.get(name)
        if (is_chosen or kind_of(name, shape) == "text") and isinstance(before, str) and _CODE.fullmatch(before):
            form = re.compile("".join(map(_sign_like, before)), re.ASCII)
            said = {code.strip(".") for code in _CODE.findall(text)} - {before}
            of_form = [code for code in said if form.fullmatch(code)]
            found |= {name: of_form[0]} if len(of_form) == 1 else {}
    return found


def _newest_code(text: str) -> str:
    """Return the last number of a record in the customer's words: they may have named it otherwise, too."""
    return next(iter(reversed([code.strip(".") for code in _CODE.findall(text)])), "")


def _sign_like(sign: str) -> str:
    return "[0-9]" if sign.isdigit() else "[A-Za-z]" if sign.isalpha() else re.escape(sign)


def _days(
    tool: ToolSpec, intent: Intent, text: str, locale: str, written_on: date | None, *, taken: dict[str, Any]
) -> dict[str, Any]:
    """Return the days that a text gives incompletely for those of a card."""
    found: dict[str, Any] = {}
    for name, shape in fields_of(tool).items():
        before = intent.values.get(name)
        if kind_of(name, shape) == "date" and before is not None and name not in taken:
            whole = _with_whole_days(text, date.fromisoformat(before), days_in(text, locale, written_on), taken)
            found |= {name: slots_in(tool, whole).values.get(name)} if whole != text else {}
    return {name: day for name, day in found.items() if day is not None}


def _with_whole_days(text: str, before: date, days: Sequence[Day], taken: dict[str, Any]) -> str:
    """Return a text whose days have the year and, if they lack it, the month of the day before them."""
    known = [
        (day.start, day.end, min(day.possible, key=lambda one: abs(one - before)))
        for day in days
        if day.day is None and len({(one.month, one.day) for one in day.possible}) == 1
    ]
    for start, end, day in reversed(known or ([] if days else _day_of_month(text, before, taken))):
        text = f"{text[:start]}{day.isoformat()}{text[end:]}"
    return text


def _day_of_month(text: str, before: date, taken: dict[str, Any]) -> list[tuple[int, int, date]]:
    """Return the only day of the month in a text, with its place; a number without a mark may be another argument."""
    plain = _DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0])), text)
    others = [(one.start, one.end) for one in figures_in(plain) if one.kind in _OTHERS]
    found = [
        one
        for one in _DAY_OF_MONTH.finditer(plain)
        if not any(start < one.end() and one.start() < end for start, end in others)
        and (one["mark"] or int(one["day"]) not in taken.values())
    ]
    return list(_in_month(found[0], before)) if len(found) == 1 else []


def _in_month(found: re.Match[str], before: date) -> Iterator[tuple[int, int, date]]:
    with suppress(ValueError):  # 31 February
        yield found.start(), found.end(), before.replace(day=int(found["day"]))
