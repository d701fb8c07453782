"""Finds numbers, days, choices, and yes or no in text for the fields of an action. Pure, apart from `intents`.

A figure or a day fills only one field: the field that was asked for, the field whose name is next to it, or the only
field that accepts such a value. Otherwise, it fills none, and the customer is asked.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from supportbot.builtin import intents
from supportbot.builtin.actions.form_fields import Shape
from supportbot.builtin.actions.limits_in_words import takes_day, takes_number
from supportbot.builtin.actions.negations import denies
from supportbot.builtin.phrases import field_title, say_in_all_languages
from supportbot.language.amounts import amount_in
from supportbot.language.dates import Day, days_in
from supportbot.language.detection import base_language
from supportbot.language.figures import all_figures_in, figures_in, known_figures
from supportbot.language.normalise import normalised
from supportbot.language.order_numbers import without_numbers
from supportbot.language.postal_addresses import without_address
from supportbot.language.words import content_stems, words

_NUMBER: Final = re.compile(
    r"(?<![\w.,:/€$£-])-?(?<!\d-)[0-9]{1,9}(?:[.,][0-9]{1,6})?(?![\w€$£%]|[.,:/][0-9])", re.ASCII
)
_SURE: Final = 0.5  # minimum probability of a yes
_SHORT_WORDS: Final = 4
_LEAST_LETTERS: Final = 3  # minimum length of a word that names a field
_BRACKETED: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ELIDED: Final = re.compile(r"\b\w['’]\w\b|\b\w['’](?=\w)|(?<=\w)['’]\w\b")
_NEAR: Final = 3  # words before a day that may name its field, as in "departure on 7 March"


@dataclass(frozen=True, slots=True)
class _Number:
    written: str
    before: frozenset[str]  # the words next to the number
    after: frozenset[str]


def numbers_in(shapes: Mapping[str, Shape], text: str, locale: str, *, asked: str) -> dict[str, Any]:
    """Return the numbers in the text for these fields. Numbers written as words count only next to a field's name or in
    an answer, because many of these words have other meanings.
    """
    found, spelt = _numbers(text), _spelt(text, locale)
    values = _named(shapes, [*found, *spelt])
    rest = [name for name in shapes if name not in values]
    target = asked if asked in rest else rest[0] if rest and len(shapes) == 1 and not asked else ""
    fitting = found or (spelt if asked else [])
    if target and not values and len(fitting) == 1:
        values[target] = fitting[0].written
    read = {name: read_number(shapes[name], written) for name, written in values.items()}
    # an amount such as "12 €" is also an answer if a plain number was asked for
    if asked in shapes and asked not in read and not found:
        read[asked] = read_number(shapes[asked], amount_in(text, is_asked=True)[0])
    return {name: value for name, value in read.items() if value is not None}


def read_number(shape: Shape, written: str) -> int | str | None:
    """Return a number in the field's format; None if the field does not accept it."""
    if shape.get("type") != "integer":
        plain = written.replace(",", ".")
        is_number = re.search(str(shape.get("pattern", "")), plain, re.ASCII) is not None
        return plain if is_number and takes_number(shape, Decimal(plain)) else None
    if not re.fullmatch(r"-?[0-9]{1,9}", written, re.ASCII):
        return None
    number = int(written)
    return number if takes_number(shape, Decimal(number)) else None


def _numbers(text: str) -> list[_Number]:
    """Return the numbers in the text that are not part of a time, a date, an amount, an address or an order number."""
    bare = without_address(without_numbers(text))
    others = [one for one in figures_in(bare) if one.kind in ("time", "date", "money", "name")]
    spans = [(one.start, one.end) for one in others] + [(one.start, one.end) for one in days_in(bare, "")]
    return [
        _number(match.group(), bare, match.start(), match.end())
        for match in _NUMBER.finditer(bare)
        if not any(start < match.end() and match.start() < end for start, end in spans)
    ]


def _spelt(text: str, locale: str) -> list[_Number]:
    """Return the numbers that the text writes as words. "One" counts only if it is the whole text."""
    alone = known_figures([text]).numbers if text.strip(" .!").isalpha() else frozenset()
    if len(alone) == 1:
        return [_Number(next(iter(alone)), frozenset(), frozenset())]
    figures = [one for one in all_figures_in(text, base_language(locale)) if one.kind in ("count", "measure")]
    words_of = [(one, text[one.start : one.end].split()[0]) for one in figures if len(one.numbers) == 1]
    return [
        _number(next(iter(one.numbers)), text, one.start, one.start + len(word))
        for one, word in words_of
        if word.replace("-", "").isalpha()
    ]


def _number(written: str, text: str, start: int, end: int) -> _Number:
    return _Number(written, frozenset(words(text[:start])[-1:]), frozenset(words(text[end:])[:1]))


def _named(shapes: Mapping[str, Shape], numbers: Sequence[_Number]) -> dict[str, str]:
    """Return the numbers that are next to the name of a field, by field: "hour 6", "2 guests". If there are field names
    on both sides, the side that names more fields counts; if both name equally many, neither counts.
    """
    before = _paired(shapes, numbers, lambda number: number.before)
    after = _paired(shapes, numbers, lambda number: number.after)
    if before == after or not (before and after):
        return before or after
    return {} if len(before) == len(after) else max(before, after, key=len)


def _paired(
    shapes: Mapping[str, Shape], numbers: Sequence[_Number], beside: Callable[[_Number], frozenset[str]]
) -> dict[str, str]:
    pairs = [(_only_named(shapes, beside(number)), number.written) for number in numbers]
    names = [name for name, _ in pairs]
    return {name: written for name, written in pairs if name and names.count(name) == 1}


def _only_named(shapes: Mapping[str, Shape], beside: Collection[str]) -> str:
    """Return the only field whose name or label is among these words; "" if there is none or several."""
    telling = {word for word in beside if len(word) >= _LEAST_LETTERS}
    labels = {name: f"{_spaced(name)} {field_title(name, shape, '')}" for name, shape in shapes.items()}
    named = [name for name, label in labels.items() if not telling.isdisjoint(words(label))]
    return named[0] if len(named) == 1 else ""


def dates_in(shapes: Mapping[str, Shape], text: str, days: Sequence[Day], *, asked: str) -> dict[str, str]:
    """Return the days in the text for these fields, in ISO 8601. Several days are not assigned by their order, because
    fields have no order. Only days within a field's bounds count.
    """
    before = [text[last.end if last else 0 : day.start] for last, day in zip((None, *days), days, strict=False)]
    named = [_only_named(shapes, words(words_before)[-_NEAR:]) for words_before in before]
    found = {name: day for name, day in zip(named, days, strict=True) if name and named.count(name) == 1}
    target = asked if asked in shapes else next(iter(shapes)) if len(shapes) == 1 and not asked else ""
    if target and not found and len({day.possible for day in days}) == 1:  # the same day, perhaps repeated
        found[target] = days[0]
    fitting = {name: [one for one in day.possible if takes_day(shapes[name], one)] for name, day in found.items()}
    return {name: days[0].isoformat() for name, days in fitting.items() if len(days) == 1}


def choices_in(options: Sequence[str], labels: Mapping[str, str], text: str) -> list[str]:
    """Return the options that the text names: by their value, or by their label with or without the part in
    brackets.
    """
    if exact := options_as_written(options, labels, text):
        return exact[:1]
    tokens = _whole_words(text)
    short = {one: _whole_words(_BRACKETED.sub(" ", labels.get(one, ""))) for one in options}
    named: dict[str, set[str]] = {}
    for one in options:
        spellings = [_whole_words(_spaced(one)), _whole_words(labels.get(one, ""))]
        if [*short.values()].count(short[one]) == 1:
            spellings.append(short[one])
        whole = [spelling for spelling in spellings if spelling and spelling <= tokens]
        named |= {one: max(whole, key=len)} if whole else {}
    # "Late breakfast" does not also name "breakfast".
    return [one for one, own in named.items() if not any(own < other for other in named.values())]


def options_as_written(options: Sequence[str], labels: Mapping[str, str], text: str) -> list[str]:
    """Return the options whose value or label, normalised, is the whole text."""
    plain = _plain(text)
    return [one for one in options if plain in (_plain(one), _plain(_label(one, labels)))]


def record_lines(options: Mapping[str, str]) -> dict[str, str]:
    """Return the line of text that chooses each of the customer's records, by record."""
    return {value: f"{value}: {label}" if label != value else value for value, label in options.items()}


def record_named(options: Mapping[str, str], text: str, language: str) -> str | None:
    """Return the record that the text names by its line, value or words; None if it names none or several, or if a
    "not" is next to one.
    """
    plain = _plain(text)
    found = [value for value, line in record_lines(options).items() if _plain(line) == plain]
    found = found or options_as_written([*options], options, text)
    found = found or ([] if denies(text, language) else choices_in([*options], options, text))
    return found[0] if len(found) == 1 else None


def record_described(options: Mapping[str, str], text: str, language: str) -> str | None:
    """Return the only record that matches all content words that the text shares with any record; None if there is none
    or several, or if the text contains a "not".
    """
    if denies(text, language):
        return None
    own = {value: content_stems(line, language) for value, line in record_lines(options).items()}
    said = content_stems(text, language) & set().union(*own.values())
    found = [value for value, stems in own.items() if said and said <= stems]
    return found[0] if len(found) == 1 else None


def _whole_words(text: str) -> set[str]:
    """Return the words of the text without single letters next to an apostrophe: "I'm" and "l'été" do not name "M" and
    "L".
    """
    return set(words(_ELIDED.sub(" ", normalised(text))))


def _plain(text: str) -> str:
    return " ".join(normalised(text).split()).casefold()


def yes_or_no(text: str) -> bool | None:
    """Return the meaning of a plain yes or no; None for any other text. "Never mind" is neither."""
    plain = " ".join(text.split()).strip(".!").casefold()
    for value, labels in ((True, say_in_all_languages("yes")), (False, say_in_all_languages("no"))):
        rests = (plain.removeprefix(one.casefold()) for one in labels if plain.startswith(one.casefold()))
        if any(not rest or _is_courteous(rest) for rest in rests):
            return value
    classified = intents.classify(text)
    is_yes = classified.kind == "affirm" and classified.kinds["affirm"] >= _SURE and len(text.split()) <= _SHORT_WORDS
    return True if is_yes else None


def _is_courteous(rest: str) -> bool:
    return not rest[0].isalnum() and intents.courtesy(rest.strip(" ,.!")) == "thanks"


def option_titles(options: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return the label that customers see for each option."""
    return {one: _label(one, labels) for one in options}


def _label(option: str, labels: Mapping[str, str]) -> str:
    return labels.get(option) or _spaced(option)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
