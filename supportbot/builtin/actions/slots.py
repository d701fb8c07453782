"""The values that a message plainly holds, told by an action's JSON Schema and by shape, in any language. Pure.

What is not plainly there is asked for: an amount that can be read in two ways, a number that may be a year.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from supportbot.builtin.intents import DATA
from supportbot.builtin.phrases import titles_of
from supportbot.language.addresses import address_in, address_parts_in, without_address
from supportbot.language.amounts import amount_in
from supportbot.language.figures import units_of
from supportbot.language.ordernumbers import WHOLE, order_numbers_in, without_numbers
from supportbot.language.words import words
from supportbot.llm.types import ToolSpec

Kind = Literal["order", "amount", "address", "items", "choice", "count", "reason", "pattern", "text"]
TEXT_MOST: Final = 200
_COUNT: Final = re.compile(r"(?<![\w.,€$£-])[0-9]{1,6}(?![\w€$£%]|[.,]\d)")


@dataclass(frozen=True, slots=True)
class OrderRef:
    """How a customer names an order: by numbers, or by its place ("last", "oldest", "other", "0" for the first)."""

    number: str = ""
    place: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the number is written in a form that no shop's system could take for another."""
        return WHOLE.fullmatch(self.number) is not None


@dataclass(frozen=True, slots=True)
class Given:
    """What a text gives: an order, values by field, and a field that was said in a way that could be misread."""

    order: OrderRef | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    unclear: str = ""

    @property
    def is_empty(self) -> bool:
        return self.order is None and not self.values and not self.unclear


def fields_of(tool: ToolSpec) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = tool.parameters.get("properties", {})
    return found


def required_by(tool: ToolSpec) -> list[str]:
    """Return the fields that a call cannot do without, in the order of the schema."""
    required = set(tool.parameters.get("required", ()))
    return [name for name in fields_of(tool) if name in required]


def kind_of(name: str, schema: Mapping[str, Any]) -> Kind:
    """Return what kind of field this is."""
    if {"postal_code", "line1"} & schema.get("properties", {}).keys():
        return "address"
    if "sku" in schema.get("items", {}).get("properties", {}):
        return "items"
    if "enum" in schema:
        return "choice"
    if schema.get("type") == "integer":
        return "count"
    kinds: tuple[Kind, ...] = ("order", "amount", "reason")
    named = next((kind for kind in kinds if kind in name.split("_")), None)
    return named or ("pattern" if "pattern" in schema else "text")


def field_of_kind(tool: ToolSpec, kind: Kind) -> str:
    """Return the name of the tool's field of that kind, "" if it has none."""
    return next((name for name, schema in fields_of(tool).items() if kind_of(name, schema) == kind), "")


def filled_in(tool: ToolSpec, text: str) -> dict[str, Any]:
    """Return what an answer to a form of ours gives: "title: value" lines and nothing else; {} for any other text."""
    values: dict[str, Any] = {}
    for line in text.splitlines():
        title, _, value = line.partition(": ")
        found = next((place for place in _places_of(tool) if value and title in titles_of(place[-1])), None)
        if found is None:
            return {}
        *outer, name = found
        within = values.setdefault(outer[0], {}) if outer else values
        within[name] = int(value) if _type_of(tool, found) == "integer" and value.isdecimal() else value
    return values


def _places_of(tool: ToolSpec) -> Iterator[tuple[str, ...]]:
    """Yield the names of the tool's fields, those of an address behind the address."""
    for name, schema in fields_of(tool).items():
        if kind_of(name, schema) == "address":
            yield from ((name, part) for part in schema["properties"])
        else:
            yield (name,)


def _type_of(tool: ToolSpec, place: tuple[str, ...]) -> str:
    schema = fields_of(tool)[place[0]]
    return str((schema["properties"][place[1]] if len(place) > 1 else schema).get("type", ""))


def given_by(tool: ToolSpec, text: str, *, asked: str = "") -> Given:
    """Return what a text gives for a tool; `asked` is the field that we had asked for."""
    values: dict[str, Any] = {}
    unclear, order = "", field_of_kind(tool, "order")
    for name, schema in fields_of(tool).items():
        kind = kind_of(name, schema)
        if kind == "amount":
            said, is_wrong = amount_in(text, is_asked=name == asked)
            unclear = name if is_wrong else unclear
            values |= {name: said} if said else {}
        elif (value := _value(kind, schema, text, is_asked=name == asked)) is not None:
            values[name] = value
    return Given(reference_in(text, is_asked=asked == order) if order else None, values, unclear)


def _value(kind: Kind, schema: Mapping[str, Any], text: str, *, is_asked: bool) -> Any:
    """Return the value of one field, None where the text gives none."""
    bare = without_numbers(text)
    match kind:
        case "address":
            parts = address_parts_in(bare) if is_asked else address_in(bare)
            return {part: value for part, value in parts.items() if part in schema.get("properties", {})} or None
        case "choice":
            said = set(words(text))
            return next((one for one in schema["enum"] if set(words(str(one).replace("_", " "))) <= said), None)
        case "count":
            found = _COUNT.search(without_address(bare))
            return int(found.group()) if found else None
        case "pattern":
            shape = re.compile(str(schema["pattern"]), re.ASCII)
            spoken = (word.strip(".!?") for word in re.findall(r"[^\s,;]+", text))
            return next((word for word in spoken if shape.fullmatch(word)), None)
        case "text" | "reason" if is_asked:
            return " ".join(text.split())[: int(schema.get("maxLength", TEXT_MOST))] or None
    return None


def reference_in(text: str, *, is_asked: bool = False) -> OrderRef | None:
    """Return how the text names an order, None if it does not; most places only count where we have asked."""
    numbers = order_numbers_in(text, is_asked=is_asked)
    if numbers:
        return OrderRef(numbers[0])
    said, known = words(text), _words()
    if is_asked:
        ranks = (rank for rank, names in enumerate(known["places"]) if not set(names).isdisjoint(said))
        rank = next(ranks, None)
        if rank is None and (digits := re.fullmatch(r"\W*([1-5])\W*", text)):
            rank = int(digits[1]) - 1
        if rank is not None:
            return OrderRef(place=str(rank))
    for place in ("last", "oldest", "other"):
        at = next((said.index(word) for word in said if word in known[place]), None)
        if at is not None and not any(units_of(word) for word in said[at + 1 : at + 2]):  # "last week" is no order
            return OrderRef(place=place)
    return None


@cache
def _words() -> Mapping[str, Any]:
    """Return the words of places in a list, in all our languages."""
    words: Mapping[str, Any] = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    return words
