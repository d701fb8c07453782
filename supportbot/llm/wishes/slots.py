"""What a message gives for the arguments of an action, told by their JSON Schema and never by the action's name. Pure.

A kind of field is known by its shape: a text called like an order, an amount, a list of items with a sku, an object
with a postal code, a choice, a number. What does not fit its shape is asked for again and never guessed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from supportbot.llm.extractive.words import STOP_WORDS, stem, words
from supportbot.llm.types import ToolSpec
from supportbot.llm.wishes import stance
from supportbot.llm.wishes.addresses import address_in, address_parts_in, without_address
from supportbot.llm.wishes.clauses import clauses_of
from supportbot.llm.wishes.concepts import KNOWN, mentions_in
from supportbot.llm.wishes.goods import is_goods
from supportbot.llm.wishes.orders import OrderRef, reference_in
from supportbot.llm.wishes.values import PLACE, amounts_in, wants_a_part, with_place, without_numbers, without_values

Kind = Literal["order", "amount", "items", "address", "choice", "count", "reason", "pattern", "text"]
_REASON_MOST: Final = 200
_COURTEOUS: Final = re.compile(
    r"(?:hi|hello|hey|thanks?|thank you|please|pls|ok(?:ay)?|hallo|guten \w+|danke|bitte|vielen dank|no|nein|ja|yes"
    r"|sorry|instead|stattdessen|lieber|\W)+",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(r"(?<![\w.,€$£-])\d{1,6}(?![\w€$£%]|[.,]\d)")


@dataclass(frozen=True, slots=True)
class Given:
    """What a text gives: an order by name, values by field, words for items, and a field that was said wrongly."""

    order: OrderRef | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    about: tuple[str, ...] = ()
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
    inner: Mapping[str, Any] = schema.get("properties", {})
    listed: Mapping[str, Any] = schema.get("items", {}).get("properties", {})
    if {"postal_code", "line1"} & inner.keys():
        return "address"
    if "sku" in listed:
        return "items"
    if "enum" in schema:
        return "choice"
    if schema.get("type") == "integer":
        return "count"
    kinds: tuple[Kind, ...] = ("order", "amount", "reason")
    for kind in kinds:
        if kind in name.split("_"):
            return kind
    return "pattern" if "pattern" in schema else "text"


def field_of_kind(tool: ToolSpec, kind: Kind) -> str:
    """Return the name of the tool's field of that kind, "" if it has none."""
    return next((name for name, schema in fields_of(tool).items() if kind_of(name, schema) == kind), "")


def given_by(tool: ToolSpec, text: str, *, wish: str = "", asked: str = "", was_offered: bool = False) -> Given:
    """Return what a text gives for a tool.

    `wish` is the clause that says what is wanted: it is no reason. `asked` is the field that we had asked for.
    """
    values: dict[str, Any] = {}
    unclear = ""
    for name, schema in fields_of(tool).items():
        kind = kind_of(name, schema)
        value = _value(kind, name, schema, text, wish=wish, is_asked=name == asked)
        if value is _UNCLEAR:
            unclear = name
        elif value is not None:
            values[name] = value
    order = field_of_kind(tool, "order")
    ref = reference_in(text, is_asked=bool(order) and asked == order, was_offered=was_offered)
    return Given(ref if order else None, values, tuple(_about(text)), unclear)


_UNCLEAR: Final = object()


def _value(kind: Kind, name: str, schema: Mapping[str, Any], text: str, *, wish: str, is_asked: bool) -> Any:
    """Return the value of one field, None where the text gives none, or _UNCLEAR where it gives a wrong one."""
    match kind:
        case "amount":
            return _amount(text, is_asked=is_asked)
        case "address":
            bare = without_numbers(text)
            parts = address_parts_in(bare) if is_asked else address_in(bare)
            known = schema.get("properties", {})
            return {part: value for part, value in parts.items() if part in known} or None
        case "choice":
            return next((choice for choice in schema["enum"] if _names_choice(text, str(choice))), None)
        case "reason":
            return _reason(text, wish, int(schema.get("maxLength", _REASON_MOST))) or None
        case "count":
            found = _COUNT.search(without_address(without_numbers(text)))
            return int(found.group()) if found and found.group().isascii() else None
        case "pattern":
            return _matching(str(schema["pattern"]), text)
        case "text" if is_asked:
            return " ".join(text.split())[: int(schema.get("maxLength", _REASON_MOST))] or None
    return None


def _amount(text: str, *, is_asked: bool) -> Any:
    amounts = amounts_in(text)
    if not amounts and is_asked:
        amounts = amounts_in(f"{text.strip()} EUR")
    if amounts:
        return amounts[-1].text or _UNCLEAR
    return _UNCLEAR if wants_a_part(text) else None


def _names_choice(text: str, choice: str) -> bool:
    wanted = {stem(word) for word in words(choice.replace("_", " "))}
    return bool(wanted) and wanted <= {stem(word) for word in words(text)}


def _matching(pattern: str, text: str) -> str | None:
    """Return the first word of the text that has exactly the field's form."""
    shape = re.compile(pattern, re.ASCII)
    said = (word.strip(".!?") for word in re.findall(r"[^\s,;]+", text))
    return next((word for word in said if shape.fullmatch(word)), None)


def _reason(text: str, wish: str, most: int) -> str:
    """Return the customer's own words beside the wish itself, as one line."""
    parts = [part for part in _beside(text, wish) if _is_telling(part)]
    reason = " ".join("".join(char if char.isprintable() else " " for char in ", ".join(parts)).split())
    return f"{reason[:1].upper()}{reason[1:]}"[:most].strip()


def _beside(text: str, wish: str) -> Iterator[str]:
    for clause in clauses_of(with_place(text)):
        if (clause.is_asked and clause.text != wish) or PLACE in clause.text:
            continue
        if clause.text != wish and stance.asks_for_it(clause.text):
            continue
        if wish and (clause.text in wish or wish in clause.text):
            yield from _around(clause.text, wish)
        else:
            yield clause.text


def _around(clause: str, wish: str) -> Iterator[str]:
    """Yield what stands in the wish's clause before an "and": "it arrived broken and I want ..."."""
    before = clause[: clause.find(wish)] if wish in clause else ""
    first, joint, _ = clause.partition(" and " if " and " in clause else " und ")
    if before.strip():
        yield re.sub(r"\s(?:and|und)\s*$", "", before.strip())
    elif joint and not any(mention.concept in KNOWN - _TELLING for mention in mentions_in(without_values(first))):
        yield first


_TELLING: Final = frozenset({"ARRIVE", "MINE", "THING", "NOT", "WRONG", "DELIVER", "ANOTHER", "YET"})


def _is_telling(part: str) -> bool:
    """Return whether words give a reason: a few of them, or one that names what is wrong."""
    if stance.tells_of_trouble(part):
        return True
    bare = _COURTEOUS.sub("", without_values(part), count=1) if _COURTEOUS.match(part) else without_values(part)
    return len([word for word in words(bare) if word not in STOP_WORDS and word not in ("order", "number")]) >= 1 and (
        len(words(bare)) >= 2
    )


def _about(text: str) -> Iterator[str]:
    """Yield the words that may name goods: what is neither a known concept nor a value nor an address."""
    bare = without_values(without_address(without_numbers(text)))
    for mention in mentions_in(bare):
        for word in words(mention.text):
            if is_goods(word) or (mention.concept not in KNOWN and len(word) > 3):
                yield word
