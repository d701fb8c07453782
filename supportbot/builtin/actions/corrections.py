"""What a message changes about a card: "I meant the 27th", "no, order 4412", "make it 2 of them". Pure but for
`intents`.

A message that says only a day of the month means the month of the card's day, a day without a year the nearest one, and
a value in the form of the card's own number is another such number. A clause with a "not" says what is not wanted, so
its values are not read. A number is a day only in the form of one, or where it can mean nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any, Final

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import Intent, fields_of, kind_of, slots_in
from supportbot.builtin.actions.word_lists import word_lists
from supportbot.formats import babel_locale
from supportbot.language.dates import Day, days_in
from supportbot.language.detection import detect
from supportbot.language.figures import figures_in
from supportbot.language.operators import operators
from supportbot.language.words import stop_words, words
from supportbot.llm.types import ToolSpec

MOST_WORDS: Final = 24  # of a message that only corrects something
# Digits, with whatever mark is written next to them: that of an ordinal ("27th", "27."), or an ending ("27'si").
_DAY_OF_MONTH: Final = re.compile(
    r"(?<![\w.,:/€$£-])(?P<day>0?[1-9]|[12]\d|3[01])(?:(?P<dot>\.(?=\s|$)|[ºª]|['’][^\W\d_]{1,5})|-?(?P<mark>[^\W\d_]{1,4}))?"
    r"(?![\w€$£%]|[.,:/-]\d)"
)
_DIGIT: Final = re.compile(r"\d")  # of any script
_CODE: Final = re.compile(r"(?=\S*\d)[\w#/.-]{1,40}", re.ASCII)
_CLAUSE: Final = re.compile(r"(?:[,;:!–—]|(?<!\d)\.)+\s+")  # not behind the day of "5. März"
_OTHERS: Final = ("time", "money", "measure", "date")  # kinds of figures that are no day of the month


def corrected(tool: ToolSpec, intent: Intent, text: str, *, locale: str, written_on: date | None) -> Intent:
    """Return the values that a text gives for an intent instead of its own, without those that stay as they are."""
    text = _wanted(text, detect(text, locale))
    given = slots_in(tool, text, locale=locale, written_on=written_on)
    values = {**_numbers_of_the_same_form(tool, intent, text), **_number(tool, intent, text, locale), **given.values}
    values = {**_days(tool, intent, text, locale, written_on, taken=values), **values}
    changed = {name: value for name, value in values.items() if value != intent.values.get(name)}
    order = given.order if given.order != intent.order else None
    return replace(given, order=order, values=changed)


def _wanted(text: str, language: str) -> str:
    """Return a text without its clauses that have a "not": they name what is not wanted. A clause also ends at a word
    such as "but": "not the 5th but the 27th".
    """
    if not operators(text, language).get("not"):
        return text
    clauses = [clause for part in _CLAUSE.split(text) for clause in _split_at_contrast(part, language)]
    return ", ".join(one for one in clauses if _is_plain_no(one) or not operators(one, language).get("not"))


def _is_plain_no(clause: str) -> bool:
    """Return whether a clause only says that something is wrong, as before "the 27th": it names nothing itself."""
    return not any(map(str.isdigit, clause)) and intents.is_mere_no(clause)


def _split_at_contrast(text: str, language: str) -> list[str]:
    """Return a text in its parts before, between and after words such as "but"."""
    parts: list[list[str]] = [[]]
    for word in text.split():
        if operators(word, language).get("instead"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]


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
    if any(kind_of(name, fields_of(tool)[name]) == "date" for name in intent.values):
        text = _without_days_of_month(text, detect(text, locale))  # "the 7th" is no quantity
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
            days = days_in(text, locale, written_on)
            whole = _with_whole_days(text, date.fromisoformat(before), days, taken, detect(text, locale))
            found |= {name: slots_in(tool, whole).values.get(name)} if whole != text else {}
    return {name: day for name, day in found.items() if day is not None}


def _with_whole_days(text: str, before: date, days: Sequence[Day], taken: dict[str, Any], language: str) -> str:
    """Return a text whose days have the year and, if they lack it, the month of the day before them."""
    known = [
        (day.start, day.end, min(day.possible, key=lambda one: abs(one - before)))
        for day in days
        if day.day is None and len({(one.month, one.day) for one in day.possible}) == 1
    ]
    for start, end, day in reversed(known or ([] if days else _day_of_month(text, before, taken, language))):
        text = f"{text[:start]}{day.isoformat()}{text[end:]}"
    return text


def _day_of_month(text: str, before: date, taken: dict[str, Any], language: str) -> list[tuple[int, int, date]]:
    """Return the only day of the month in a text, with its place; a number without a mark may be another argument, or
    count something.
    """
    plain = _DIGIT.sub(lambda digit: str(unicodedata.digit(digit[0])), text)
    others = [(one.start, one.end) for one in figures_in(plain) if one.kind in _OTHERS]
    found = [
        one
        for one in _DAY_OF_MONTH.finditer(plain)
        if not any(start < one.end() and one.start() < end for start, end in others)
        and (
            _is_marked(one, plain, language)
            or (int(one["day"]) not in taken.values() and _is_day(one, plain, language, taken))
        )
    ]
    return list(_in_month(found[0], before)) if len(found) == 1 else []


def _is_marked(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether a number is written as a day of the month. A dot may also end the sentence: behind the last word
    of the text, it is no mark.
    """
    if found["dot"] == ".":
        return _has_dotted_days(language) and bool(text[found.end() :].strip())
    return bool(found["dot"]) or (found["mark"] or "").casefold() in word_lists()["ordinals"]


@cache
def _has_dotted_days(language: str) -> bool:
    """Return whether a language writes "27. März": its day is followed by a dot."""
    return "d." in str(babel_locale(language).date_formats["long"].pattern)


def _without_days_of_month(text: str, language: str) -> str:
    for one in reversed([*_DAY_OF_MONTH.finditer(text)]):
        if _is_marked(one, text, language):
            text = f"{text[: one.start()]}{text[one.end() :]}"
    return text


def _is_day(found: re.Match[str], text: str, language: str, taken: dict[str, Any]) -> bool:
    """Return whether a number without a mark can only be a day. In a language that writes days with a dot, one at the
    end may be that dot, where no number of the card takes it ("Am 27.").
    """
    is_dotted = found["dot"] == "." and _has_dotted_days(language)
    return _is_meant(found, text, language) or (is_dotted and not taken)


def _is_meant(found: re.Match[str], text: str, language: str) -> bool:
    """Return whether a bare number can be a day: it is all that was said, or stands behind a word of correction ("no",
    "meant") and counts nothing.
    """
    if found["mark"]:
        return False
    before, after = text[: found.start()], words(text[found.end() :])
    if not (words(before) or after):
        return True
    said = f" {' '.join(words(before))} "
    is_correction = any(f" {' '.join(words(one))} " in said for one in word_lists()["meant"])
    return is_correction and (not after or after[0] in stop_words(language))


def _in_month(found: re.Match[str], before: date) -> Iterator[tuple[int, int, date]]:
    with suppress(ValueError):  # 31 February
        yield found.start(), found.end(), before.replace(day=int(found["day"]))
