"""Finds the values for an action in a message in any language, based on the action's JSON Schema and their format.
Pure.

Unclear values are not used, and the customer is asked: an ambiguous amount, a number that may be a year, or only part
of an address.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from supportbot.builtin.actions.form_fields import Shape
from supportbot.builtin.actions.patterns import form_of, nearly_in, placed_stretches, stretches_in, value_in
from supportbot.builtin.actions.replaced_numbers import Placed, meant_in
from supportbot.builtin.actions.tool_fields import Kind, fields_of, kind_of
from supportbot.builtin.actions.values_in_text import (
    choices_in,
    dates_in,
    numbers_in,
    options_as_written,
    read_number,
    yes_or_no,
)
from supportbot.builtin.actions.word_lists import word_lists
from supportbot.language.amounts import amount_in, placed_amounts
from supportbot.language.dates import Day, days_in
from supportbot.language.figure_vocabulary import units_of
from supportbot.language.order_numbers import WHOLE, order_numbers_in, placed_order_numbers, without_numbers
from supportbot.language.postal_addresses import address_in
from supportbot.language.words import words
from supportbot.llm.types import ToolSpec

TEXT_MOST: Final = 200
UNCLEAR: Final = "unclear"


@dataclass(frozen=True, slots=True)
class OrderRef:
    """A customer's reference to an order: by number, or by position ("last", "oldest", "other", "0" for the first). The
    position is "unclear" if the text names several numbers and it is unclear which one is meant.
    """

    number: str = ""
    place: str = ""

    @property
    def is_unclear(self) -> bool:
        return self.place == UNCLEAR

    @property
    def is_whole(self) -> bool:
        """Whether the number is written in a format that only order numbers have."""
        return WHOLE.fullmatch(self.number) is not None


@dataclass(frozen=True, slots=True)
class Intent:
    """An action that the customer wants, with the values known so far. `text` is what the customer has written about
    it.
    """

    action: str
    order: OrderRef | None = None
    values: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    unclear: tuple[str, ...] = ()  # the fields with an ambiguous amount or record number
    previous: str = ""  # the order number before it was corrected
    days: frozenset[date] = frozenset()  # all days that the customer may have meant, for whatever field
    replaces_card: bool = False  # the intent corrects an open card
    # (argument that the assistant asked for, line of the chosen record)
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.order is None and not self.values and not self.unclear

    @property
    def first_unclear(self) -> str:
        """The next unclear field to ask about; "" if there is none."""
        return next((name for name in self.unclear if name not in self.values), "")

    def merged_with(self, more: "Intent") -> "Intent":
        """Return the intent with the values from another text. Values that the other text makes unclear are dropped."""
        still_unclear = [name for name in self.unclear if name not in more.values]
        kept = {name: value for name, value in self.values.items() if name not in more.unclear}
        return Intent(
            self.action,
            more.order or self.order,
            kept | more.values,
            f"{self.text}\n{more.text}".strip(),
            tuple(dict.fromkeys((*more.unclear, *still_unclear))),
            self.order.number if self.order and more.order else self.previous,
            self.days | more.days,
            self.replaces_card,
            (*self.answers, *more.answers),
        )


def is_option(tool: ToolSpec, name: str, text: str) -> bool:
    """Return whether the text is, word for word, an option of this field, or a plain yes or no if the field accepts
    these.
    """
    shape = fields_of(tool)[name]
    kind = kind_of(name, shape)
    if kind == "flag":
        return yes_or_no(text) is not None
    if kind == "choices" and _several(shape, text, labels={}, is_asked=True) is not None:
        return True
    return bool(options_as_written(shape.get("enum", ()), tool.option_labels.get(name, {}), text))


def _names_whole(text: str) -> bool:
    return any(WHOLE.fullmatch(value) for _, _, value in placed_order_numbers(text))


def slots_in(tool: ToolSpec, text: str, *, asked: str = "", locale: str = "", written_on: date | None = None) -> Intent:
    """Return the values for a tool that the text contains. `asked` is the field that the assistant asked for."""
    order, unclear = None, list[str]()
    # `next_step` fills in chosen records
    fields = {name: shape for name, shape in fields_of(tool).items() if name not in tool.chosen}
    named = days_in(text, locale, written_on)
    values = _shared_out(fields, text, named, locale, asked=asked)
    for name, shape in fields.items():
        kind, is_asked = kind_of(name, shape), name == asked
        if kind == "order":
            meant = meant_order(tool, text, locale, is_asked=is_asked)
            order = OrderRef(place=UNCLEAR) if meant is None else order_reference(meant, is_asked=is_asked)
            order = _in_own_format(shape, meant or "", order) if is_asked else order
            # bare digits answer the question
            if order and asked and not is_asked and not (order.is_whole or (meant is None and _names_whole(text))):
                order = None
        elif kind == "amount":
            values[name], is_misread = _amount(tool, text, locale, is_asked=is_asked)
            unclear += [name] if is_misread else []
        elif name not in values:
            answer = _meant_record(tool, shape, text, locale) if kind == "pattern" else text
            if answer is None:
                unclear.append(name)
                continue
            values[name] = _value(kind, shape, answer, labels=tool.option_labels.get(name, {}), is_asked=is_asked)
    given = {name: value for name, value in values.items() if value not in (None, "", {})}
    days = frozenset(day for one in named for day in one.possible)
    return Intent(tool.name, order, given, text, tuple(unclear), days=days)


def meant_order(tool: ToolSpec, text: str, locale: str, *, is_asked: bool = False) -> str | None:
    """Return the text without order numbers that it says are not meant; None if it is unclear which number is meant."""
    numbers = placed_order_numbers(text, is_asked=is_asked)
    return meant_in(text, locale, numbers, request_words(tool))


def _in_own_format(shape: Shape, text: str, order: OrderRef | None) -> OrderRef | None:
    """Return a reference with the number in the argument's own format, such as CS-1001 for "cs 1001". Return `order`
    itself if its number already has this format, or if the text contains no number that can be read in that format.
    """
    pattern = str(shape.get("pattern", ""))
    if not pattern or order is None or not order.number or form_of(pattern).fullmatch(order.number):
        return order
    number = nearly_in(pattern, text)
    return OrderRef(number) if number else order


def _amount(tool: ToolSpec, text: str, locale: str, *, is_asked: bool) -> tuple[str, bool]:
    """Return the amount meant in the text, and whether it is ambiguous."""
    meant = meant_in(text, locale, placed_amounts(text, is_asked=is_asked), request_words(tool))
    return ("", True) if meant is None else amount_in(meant, is_asked=is_asked)


def _meant_record(tool: ToolSpec, shape: Shape, text: str, locale: str) -> str | None:
    """Like `meant_order`, but for numbers in the format of an argument."""
    return meant_in(text, locale, placed_records(shape, text), request_words(tool))


def placed_records(shape: Shape, text: str) -> list[Placed]:
    """Return the parts of the text that contain digits and have an argument's format, with their positions."""
    found = placed_stretches(str(shape["pattern"]), text, is_asked=False)
    return [one for one in found if any(sign.isdigit() for sign in one[2])]


def request_words(tool: ToolSpec) -> frozenset[str]:
    """Return the words of an action's name and title, in lower case."""
    return frozenset(words(f"{tool.name.replace('_', ' ')} {tool.title}"))


def _shared_out(
    fields: Mapping[str, Shape], text: str, named: Sequence[Day], locale: str, *, asked: str
) -> dict[str, Any]:
    """Return the numbers and days in the text by field. Each is assigned to at most one field."""
    numbers = {name: shape for name, shape in fields.items() if kind_of(name, shape) == "number"}
    days = {name: shape for name, shape in fields.items() if kind_of(name, shape) == "date"}
    return numbers_in(numbers, text, locale, asked=asked) | dates_in(days, text, named, asked=asked)


def _value(kind: Kind, shape: Shape, text: str, *, labels: Mapping[str, str], is_asked: bool) -> Any:
    """Return the value of a field; None if the text does not contain it."""
    match kind:
        case "address":
            parts = address_in(without_numbers(text), is_asked=is_asked)
            return {part: value for part, value in parts.items() if part in shape["properties"]}
        case "choice":
            named = choices_in(shape["enum"], labels, text)
            return named[0] if len(named) == 1 else None
        case "choices":
            return _several(shape, text, labels=labels, is_asked=is_asked)
        case "flag" if is_asked:
            return yes_or_no(text)
        case "list":
            return entries_in(shape.get("items", {}), text, is_asked=is_asked) or None
        case "pattern":
            return value_in(str(shape["pattern"]), text, is_asked=is_asked)
        case "text" | "reason" if is_asked:
            return whole_text(shape, text)
    return None


def whole_text(shape: Shape, text: str) -> str:
    """Return the text on one line, cut after a whole word to the field's maximum length."""
    words_of_it, most = " ".join(text.split()), int(shape.get("maxLength", TEXT_MOST))
    if len(words_of_it) <= most:
        return words_of_it
    # Thai and Japanese have no spaces between words.
    end = words_of_it.rfind(" ", most // 2, most + 1)
    return words_of_it[: end if end > 0 else most]


def _several(shape: Shape, text: str, *, labels: Mapping[str, str], is_asked: bool) -> list[str] | None:
    """Return the options that the text chooses, which may be all or none of them; None if it does not say anything
    about them.
    """
    options = shape["items"]["enum"]
    named = choices_in(options, labels, text)
    if named or not is_asked:
        return named or None
    first, known = next(iter(words(text)), ""), word_lists()
    if first in known["none"] or yes_or_no(text) is False:
        return None if shape.get("minItems") else []
    is_all = first in known["all"] or (first in known["both"] and len(options) == 2)
    return list(options) if is_all else None


def entries_in(items: Shape, text: str, *, is_asked: bool) -> list[Any]:
    """Return the list entries that the text contains. If the customer was not asked for them, only values in the shop's
    own format that contain digits count.
    """
    if "pattern" in items:
        found = stretches_in(str(items["pattern"]), text, is_asked=is_asked)
        return found if is_asked else [part for part in found if any(sign.isdigit() for sign in part)]
    if not is_asked:
        return []
    if items.get("format") == "date":
        return [one.day.isoformat() for one in days_in(text, "") if one.day is not None]
    if items.get("type") == "integer":
        numbers = (read_number(items, written) for written in re.findall(r"-?[0-9]+", text, re.ASCII))
        return [number for number in numbers if number is not None]
    is_text = items.get("type") == "string"
    return [entry.strip() for entry in re.split(r"[,;\n]", text) if entry.strip()] if is_text else []


def order_reference(text: str, *, is_asked: bool = False) -> OrderRef | None:
    """Return the text's reference to an order; None if there is none. Most positions count only in an answer."""
    if numbers := order_numbers_in(text, is_asked=is_asked):
        return OrderRef(numbers[0])
    tokens, known = words(text), word_lists()
    for rank, names in enumerate(known["places"] if is_asked else ()):
        if tokens == [str(rank + 1)] or not set(names).isdisjoint(tokens):
            return OrderRef(place=str(rank))
    for place in ("last", "oldest", "other"):
        at = next((tokens.index(word) for word in tokens if word in known[place]), None)
        # "last week" is not an order
        if at is not None and not any(units_of(word) for word in tokens[at + 1 : at + 2]):
            return OrderRef(place=place)
    return None
