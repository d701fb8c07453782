"""Reads corrections of a card: "I meant the 27th", "no, order 4412", "make it 2 of them". Pure, apart from `intents`.

A day of the month without a month is in the same month as the card's day, and a day without a year is the nearest such
day. A number in the format of the card's number replaces the card's number. Denied values (`negations`) are ignored. A
number counts as a day only if it is written like one or can mean nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any, Final

from supportbot.builtin.actions.negations import BREAK, Named, has_dotted_days, without_denied
from supportbot.builtin.actions.replaced_numbers import Placed, meant_in
from supportbot.builtin.actions.slots import UNCLEAR, Intent, OrderRef, placed_records, request_words, slots_in
from supportbot.builtin.actions.tool_fields import fields_of, kind_of
from supportbot.builtin.actions.word_lists import word_lists
from supportbot.formats import babel_locale
from supportbot.language.dates import Day, days_in
from supportbot.language.detection import base_language, detect
from supportbot.language.figures import figures_in
from supportbot.language.operators import operators
from supportbot.language.order_numbers import placed_order_numbers
from supportbot.language.words import stop_words, words
from supportbot.llm.types import ToolSpec

MOST_WORDS: Final = 24  # maximum number of words in a message that only corrects something
# Digits with a mark next to them that makes them an ordinal ("27th", "27.") or is a suffix ("27'si").
_DAY_OF_MONTH: Final = re.compile(
    r"(?<![\w.,:/€$£-])(?P<day>0?[1-9]|[12]\d|3[01])(?:(?P<dot>\.(?=\s|$)|[ºª]|['’][^\W\d_]{1,5})|-?(?P<mark>[^\W\d_]{1,4}))?"
    r"(?![\w€$£%]|[.,:/-]\d)"
)
_DIGIT: Final = re.compile(r"\d")  # a digit of any script
_CODE: Final = re.compile(r"(?=\S*\d)[\w#/.-]{1,40}", re.ASCII)
_ORDER: Final = "order"  # stands for the order, which has its own attribute in an intent
_OTHERS: Final = ("time", "money", "measure", "date")  # kinds of figures that are not days of the month


def corrected(tool: ToolSpec, intent: Intent, text: str, *, locale: str, written_on: date | None) -> Intent:
    """Return the intent, reduced to the values that the text changes."""

    def named(part: str) -> Named:
        return _named(tool, intent, part, _given(tool, intent, part, locale, written_on))

    meant, unclear = _meant(tool, intent, text, locale)
    # Numbers are only removed from a text that says nothing else, so such a text denies no day.
    text = meant if meant != text else without_denied(text, detect(text, base_language(locale)), named)
    given = _without(_given(tool, intent, text, locale, written_on), unclear)
    changed = {name: value for name, value in given.values.items() if value != intent.values.get(name)}
    return replace(given, order=given.order if given.order != intent.order else None, values=changed)


def _meant(tool: ToolSpec, intent: Intent, text: str, locale: str) -> tuple[str, list[str]]:
    """Return the text without the numbers that it says are not meant, and the arguments whose number is unclear."""
    unclear: list[str] = []
    for name, numbers in _numbers(tool, intent, text):
        meant = meant_in(text, locale, numbers, request_words(tool))
        if meant is None:
            unclear.append(name)
        elif meant != text:
            return meant, []
    return text, unclear


def _numbers(tool: ToolSpec, intent: Intent, text: str) -> Iterator[tuple[str, list[Placed]]]:
    """Yield each argument that takes the number of a record, with the numbers in the text that have its format."""
    for name, shape in fields_of(tool).items():
        kind = kind_of(name, shape)
        if kind == "order":
            yield _ORDER, placed_order_numbers(text)
        elif kind == "pattern":
            yield name, placed_records(shape, text)
    for name, before in _codes_of(tool, intent).items():
        form = _form_of(before)
        placed = [(one.start(), one.end(), one[0].strip(".")) for one in _CODE.finditer(text)]
        yield name, [one for one in placed if form.fullmatch(one[2])]


def _without(given: Intent, unclear: Sequence[str]) -> Intent:
    """Return the intent without the numbers that are unclear in the message as a whole."""
    values = {name: value for name, value in given.values.items() if name not in unclear}
    order = OrderRef(place=UNCLEAR) if _ORDER in unclear else given.order
    names = [name for name in unclear if name != _ORDER]
    return replace(given, order=order, values=values, unclear=tuple(dict.fromkeys((*given.unclear, *names))))


def _given(tool: ToolSpec, intent: Intent, text: str, locale: str, written_on: date | None) -> Intent:
    """Return an intent with all values found in the text, including those that equal the card's."""
    counting = _without_ordinals(text, detect(text, base_language(locale)), is_also_day=False)
    given = replace(slots_in(tool, counting, locale=locale, written_on=written_on), text=text)
    values = {**_numbers_of_the_same_form(tool, intent, text), **_number(tool, intent, text, locale), **given.values}
    return replace(given, values={**_days(tool, intent, text, locale, written_on, taken=values), **values})


def _named(tool: ToolSpec, intent: Intent, text: str, given: Intent) -> Named:
    """Return the arguments that a text gives the card's own value, and those that it gives a different value. A number
    may also stand for the card's day.
    """
    own = {name for name, value in given.values.items() if value == intent.values.get(name)}
    codes = _codes_in(text)
    own |= {name for name, before in _codes_of(tool, intent).items() if before in codes}
    numbers = {int(one["day"]) for one in _DAY_OF_MONTH.finditer(_plain(text))}
    own |= {name for name, before in _days_of(tool, intent).items() if before.day in numbers}
    other = given.values.keys() - own
    order = frozenset({_ORDER} if given.order is not None else ())
    is_own = given.order == intent.order
    return Named(frozenset(own) | (order if is_own else set()), frozenset(other) | (set() if is_own else order))


def is_further(text: str, locale: str) -> bool:
    """Return whether a message asks for something in addition, as in "and 4413 too"."""
    return bool(operators(text, detect(text, base_language(locale))).get("also"))


def names_another_record(tool: ToolSpec, intent: Intent, given: Intent) -> bool:
    """Return whether a correction names a record other than the card's: an order, or a number that is not a
    quantity.
    """
    fields = fields_of(tool)
    if not tool.chosen.isdisjoint(given.values):
        return True
    kinds = (kind_of(name, fields[name]) for name in given.values if name in intent.values)
    return given.order is not None or any(kind in ("pattern", "text") for kind in kinds)


def _number(tool: ToolSpec, intent: Intent, text: str, locale: str) -> dict[str, Any]:
    """Return the new value of a card's only number, by argument. The text is read as if the customer had been asked for
    it.
    """
    names = [name for name, shape in fields_of(tool).items() if kind_of(name, shape) == "number"]
    if len(names) != 1 or names[0] not in intent.values:
        return {}
    has_day = any(kind_of(name, fields_of(tool)[name]) == "date" for name in intent.values)
    text = _without_ordinals(
        text, detect(text, base_language(locale)), is_also_day=has_day
    )  # "the 7th" is not a quantity
    found = slots_in(tool, text, asked=names[0], locale=locale).values
    return {name: found[name] for name in names if name in found}


def _numbers_of_the_same_form(tool: ToolSpec, intent: Intent, text: str) -> dict[str, str]:
    """Return new numbers of records that a card names in free text, by argument: "4412" instead of "4411"."""
    found: dict[str, str] = {}
    for name, before in _codes_of(tool, intent).items():
        form = _form_of(before)
        of_form = [code for code in _codes_in(text) - {before} if form.fullmatch(code)]
        found |= {name: of_form[0]} if len(of_form) == 1 else {}
    return found


def _codes_of(tool: ToolSpec, intent: Intent) -> dict[str, str]:
    """Return the numbers of records that a card names in free text, by argument."""
    found: dict[str, str] = {}
    for name, shape in fields_of(tool).items():
        is_chosen = name in tool.chosen
        before = _newest_code(intent.text) if is_chosen else intent.values.get(name)
        if (is_chosen or kind_of(name, shape) == "text") and isinstance(before, str) and _CODE.fullmatch(before):
            found[name] = before
    return found


def _codes_in(text: str) -> set[str]:
    return {code.strip(".") for code in _CODE.findall(text)}


def _newest_code(text: str) -> str:
    """Return the last record number in the customer's text; "" if the text refers to the record in another way."""
    return next(iter(reversed([code.strip(".") for code in _CODE.findall(text)])), "")


def _form_of(code: str) -> re.Pattern[str]:
    """Return a pattern for the numbers that are written like this one."""
    return re.compile("".join(map(_sign_like, code)), re.ASCII)


def _sign_like(sign: str) -> str:
    return "[0-9]" if sign.isdigit() else "[A-Za-z]" if sign.isalpha() else re.escape(sign)


def _days(
    tool: ToolSpec, intent: Intent, text: str, locale: str, written_on: date | None, *, taken: dict[str, Any]
) -> dict[str, Any]:
    """Return new values of a card's days, by argument, from incomplete days in the text."""
    found: dict[str, Any] = {}
    for name, before in _days_of(tool, intent).items():
        if name not in taken:
            days = days_in(text, locale, written_on)
            whole = _with_whole_days(text, before, days, taken, detect(text, base_language(locale)))
            found |= {name: slots_in(tool, whole).values.get(name)} if whole != text else {}
    return {name: day for name, day in found.items() if day is not None}


def _days_of(tool: ToolSpec, intent: Intent) -> dict[str, date]:
    """Return a card's days by argument."""
    names = [name for name, shape in fields_of(tool).items() if kind_of(name, shape) == "date"]
    return {name: date.fromisoformat(intent.values[name]) for name in names if intent.values.get(name) is not None}


def _with_whole_days(text: str, before: date, days: Sequence[Day], taken: dict[str, Any], language: str) -> str:
    """Return the text with each incomplete day replaced by the possible day nearest to `before`, in ISO 8601."""
    known = [
        (day.start, day.end, min(day.possible, key=lambda one: abs(one - before)))
        for day in days
        if day.day is None and len({(one.month, one.day) for one in day.possible}) == 1
    ]
    for start, end, day in reversed(known or ([] if days else _day_of_month(text, before, taken, language))):
        text = f"{text[:start]}{day.isoformat()}{text[end:]}"
    return text


def _day_of_month(text: str, before: date, taken: dict[str, Any], language: str) -> list[tuple[int, int, date]]:
    """Return the only day of the month in the text, as [(start, end, day)]; [] if there is none or several. Numbers
    that belong to another argument or count something are ignored.
    """
    plain = _plain(text)
    others = [(one.start, one.end) for one in figures_in(plain) if one.kind in _OTHERS]
    found = [
        one
        for one in _DAY_OF_MONTH.finditer(plain)
        if not any(start < one.end() and one.start() < end for start, end in others)
        and (
            _is_marked(one, plain, language)
            or (int(one["day"]) not in taken.values() and _is_meant(one, plain, language))
        )
    ]
    return list(_in_month(found[0], before)) if len(found) == 1 else []


def _plain(text: str) -> str:
    """Return the text with ASCII digits at the same positions."""
    return _DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0])), text)


def _is_marked(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether a number is written as a day of the month and does not count things, as it does in "the 2nd
    guest".
    """
    return _is_ordinal(found, text, language) and not _is_before_noun(found, text, language)


def _is_ordinal(found: re.Match[str], text: str, language: str) -> bool:
    if found["dot"] == ".":
        return has_dotted_days(language) and _is_dotted_day(found, text, language)
    return bool(found["dot"]) or (found["mark"] or "").casefold() in word_lists()["ordinals"]


def _is_before_noun(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether an ordinal seems to belong to a noun, because it is followed by a word that does not usually
    follow a day. Return False if the language has no list of the words that usually do.
    """
    known = word_lists()["behind_days"].get(language)
    clause = BREAK.split(text[found.end() :].lstrip(), maxsplit=1)[0]
    if known is None or not words(clause) or (found["dot"] or "")[:1] in ("'", "’"):  # "27'si" is a day in itself
        return False
    behind = words(clause)[0]
    is_small = behind in known or behind in stop_words(language) or not behind.isalpha()
    if is_small or not {"instead", "if", "not", "only"}.isdisjoint(operators(behind, language)):
        return False
    before = words(BREAK.split(text[: found.start()])[-1])
    is_behind_on = bool(before) and before[-1] in word_lists()["on_day"].get(language, ())
    return not (is_behind_on and clause[:1].islower())  # "am 27. kommen wir lieber"


def _is_dotted_day(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether the dot after a number marks a day and does not end the sentence ("Wir sind 4."). It marks a day
    after a word such as "am" or a weekday, and if the number begins a sentence that continues.
    """
    before, rest = words(BREAK.split(text[: found.start()])[-1]), text[found.end() :].strip()
    if not before:
        return bool(rest)
    weekdays = babel_locale(language).days["format"]["wide"].values()
    if before[-1] in (one.casefold() for one in weekdays):
        return True
    leads = word_lists()["before_days"].get(language)
    return rest[:1].islower() if leads is None else before[-1] in leads


def _without_ordinals(text: str, language: str, *, is_also_day: bool) -> str:
    """Return the text without ordinals that belong to a noun and, if `is_also_day`, without days of the month."""
    for one in reversed([*_DAY_OF_MONTH.finditer(text)]):
        if _is_ordinal(one, text, language) and (is_also_day or _is_before_noun(one, text, language)):
            text = f"{text[: one.start()]}{text[one.end() :]}"
    return text


def _is_meant(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether a bare number can be a day: it can if it is the whole message, or if it follows a word of
    correction ("no", "meant") and counts nothing.
    """
    if found["mark"]:
        return False
    before, after = text[: found.start()], words(text[found.end() :])
    if not (words(before) or after):
        return True
    padded = f" {' '.join(words(before))} "
    is_correction = any(f" {' '.join(words(one))} " in padded for one in word_lists()["meant"])
    return is_correction and (not after or after[0] in stop_words(language))


def _in_month(found: re.Match[str], before: date) -> Iterator[tuple[int, int, date]]:
    with suppress(ValueError):  # for example, 31 February
        yield found.start(), found.end(), before.replace(day=int(found["day"]))
