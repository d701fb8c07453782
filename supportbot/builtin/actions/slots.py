"""The values that a message states for an action, found by its JSON Schema and by their form, in any language. Pure.

Whatever is not clearly stated is asked for: an amount that can be read in two ways, a number that may be a year, a
part of an address.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from supportbot.builtin.intents import DATA
from supportbot.builtin.phrases import titles_of
from supportbot.language.addresses import address_in, without_address
from supportbot.language.amounts import amount_in
from supportbot.language.figures import units_of
from supportbot.language.ordernumbers import WHOLE, order_numbers_in, without_numbers
from supportbot.language.words import words
from supportbot.llm.types import ToolSpec

Kind = Literal["order", "amount", "address", "items", "choice", "count", "reason", "pattern", "text"]
Shape = Mapping[str, Any]  # of a field, in JSON Schema
TEXT_MOST: Final = 200
_COUNT: Final = re.compile(r"(?<![\w.,€$£-])[0-9]{1,6}(?![\w€$£%]|[.,]\d)")


@dataclass(frozen=True, slots=True)
class OrderRef:
    """How a customer names an order: by numbers, or by its place ("last", "oldest", "other", "0" for the first)."""

    number: str = ""
    place: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the number is written in a form that only an order number has."""
        return WHOLE.fullmatch(self.number) is not None


@dataclass(frozen=True, slots=True)
class Intent:
    """One action that the customer wants, with what is known of it so far; `text` is what they wrote about it."""

    action: str
    order: OrderRef | None = None
    values: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    unclear: str = ""  # the field whose value could be misread
    previous: str = ""  # the order number that was corrected

    @property
    def is_empty(self) -> bool:
        return self.order is None and not self.values and not self.unclear

    def merged_with(self, more: "Intent") -> "Intent":
        """Return the intent with the values of a further text."""
        still_unclear = "" if self.unclear in more.values else self.unclear
        return Intent(
            self.action,
            more.order or self.order,
            self.values | more.values,
            f"{self.text}\n{more.text}".strip(),
            more.unclear or still_unclear,
            self.order.number if self.order and more.order else self.previous,
        )


def fields_of(tool: ToolSpec) -> dict[str, Shape]:
    found: dict[str, Shape] = tool.parameters.get("properties", {})
    return found


def required_by(tool: ToolSpec) -> list[str]:
    """Return the required fields, in the order of the schema."""
    required = set(tool.parameters.get("required", ()))
    return [name for name in fields_of(tool) if name in required]


def kind_of(name: str, shape: Shape) -> Kind:
    """Return what kind of field this is."""
    if {"postal_code", "line1"} & shape.get("properties", {}).keys():
        return "address"
    if "sku" in shape.get("items", {}).get("properties", {}):
        return "items"
    if "enum" in shape:
        return "choice"
    if shape.get("type") == "integer":
        return "count"
    kinds: tuple[Kind, ...] = ("order", "amount", "reason")
    named = next((kind for kind in kinds if kind in name.split("_")), None)
    return named or ("pattern" if "pattern" in shape else "text")


def field_of_kind(tool: ToolSpec, kind: Kind) -> str:
    """Return the name of the tool's field of that kind, "" if it has none."""
    return next((name for name, shape in fields_of(tool).items() if kind_of(name, shape) == kind), "")


def missing_in(tool: ToolSpec, values: Mapping[str, Any]) -> list[str]:
    """Return the fields to ask for, in the order of the schema; a reason is never asked for."""
    fields = fields_of(tool)
    needed = [name for name in required_by(tool) if kind_of(name, fields[name]) != "reason"]
    return [name for name in needed if not _is_whole(fields[name], values.get(name))]


def _is_whole(shape: Shape, value: Any) -> bool:
    return value is not None and ("properties" not in shape or set(shape.get("required", ())) <= value.keys())


def read_form(tool: ToolSpec, text: str) -> dict[str, Any]:
    """Return the values of a submitted form: "title: value" lines and nothing else; {} for any other text."""
    values: dict[str, Any] = {}
    titled = dict(_titled(tool))
    for line in text.splitlines():
        title, _, value = line.partition(": ")
        if not value or title not in titled:
            return {}
        outer, name, shape = titled[title]
        within = values.setdefault(outer, {}) if outer else values
        within[name] = int(value) if shape.get("type") == "integer" and value.isdecimal() else value
    return values


def _titled(tool: ToolSpec) -> Iterator[tuple[str, tuple[str, str, Shape]]]:
    """Yield (title, (address or "", name, shape)) of the tool's fields, those of an address one by one."""
    for name, shape in fields_of(tool).items():
        parts: Mapping[str, Shape] = shape["properties"] if kind_of(name, shape) == "address" else {}
        for part, own in (parts or {name: shape}).items():
            yield from ((title, (name if parts else "", part, own)) for title in titles_of(part, own))


def slots_in(tool: ToolSpec, text: str, *, asked: str = "") -> Intent:
    """Return the values that a text holds for a tool; `asked` is the field that the assistant asked for."""
    values: dict[str, Any] = {}
    order, unclear = None, ""
    for name, shape in fields_of(tool).items():
        kind, is_asked = kind_of(name, shape), name == asked
        if kind == "order":
            order = order_reference(text, is_asked=is_asked)
            if order and asked and not is_asked and not order.is_whole:  # bare digits answer what was asked for
                order = None
        elif kind == "amount":
            values[name], is_misread = amount_in(text, is_asked=is_asked)
            unclear = name if is_misread else unclear
        else:
            values[name] = _value(kind, shape, text, is_asked=is_asked)
    given = {name: value for name, value in values.items() if value not in (None, "", {})}
    return Intent(tool.name, order, given, text, unclear)


def _value(kind: Kind, shape: Shape, text: str, *, is_asked: bool) -> Any:
    """Return the value of one field, None if the text holds none."""
    bare = without_numbers(text)
    match kind:
        case "address":
            parts = address_in(bare, is_asked=is_asked)
            return {part: value for part, value in parts.items() if part in shape["properties"]}
        case "choice":
            said = set(words(text))
            return next((one for one in shape["enum"] if set(words(str(one).replace("_", " "))) <= said), None)
        case "count":
            found = _COUNT.search(without_address(bare))
            return int(found.group()) if found else None
        case "pattern":
            pattern = re.compile(str(shape["pattern"]), re.ASCII)
            spoken = (word.strip(".!?") for word in re.findall(r"[^\s,;]+", text))
            return next((word for word in spoken if pattern.fullmatch(word)), None)
        case "text" | "reason" if is_asked:
            return " ".join(text.split())[: int(shape.get("maxLength", TEXT_MOST))]
    return None


def order_reference(text: str, *, is_asked: bool = False) -> OrderRef | None:
    """Return how the text refers to an order, None if it does not; most places count only in an answer."""
    if numbers := order_numbers_in(text, is_asked=is_asked):
        return OrderRef(numbers[0])
    said, known = words(text), _words()
    for rank, names in enumerate(known["places"] if is_asked else ()):
        if said == [str(rank + 1)] or not set(names).isdisjoint(said):
            return OrderRef(place=str(rank))
    for place in ("last", "oldest", "other"):
        at = next((said.index(word) for word in said if word in known[place]), None)
        if at is not None and not any(units_of(word) for word in said[at + 1 : at + 2]):  # "last week" is not an order
            return OrderRef(place=place)
    return None


@cache
def _words() -> Mapping[str, Any]:
    """Return the words for places in a list, in all languages."""
    found: Mapping[str, Any] = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    return found
