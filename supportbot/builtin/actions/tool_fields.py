"""The fields of a tool according to its JSON Schema: their kinds, which are required, and which are still missing.
Pure.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from supportbot.builtin.actions.form_fields import Shape
from supportbot.llm.types import REPLACES_CARD, ToolSpec

Kind = Literal[
    "order",
    "amount",
    "address",
    "items",
    "choice",
    "choices",
    "list",
    "object",
    "objects",
    "flag",
    "date",
    "number",
    "reason",
    "pattern",
    "text",
]
OF_OBJECTS: Final = ("items", "objects")  # kinds of lists
OF_WORDS: Final = ("text", "reason")  # kinds that accept any text
_DECIMALS: Final = ("1", "2.5")  # a field that accepts both counts as a number, however its pattern is written


def fields_of(tool: ToolSpec) -> dict[str, Shape]:
    """Return the tool's fields by name."""
    found: dict[str, Shape] = tool.parameters.get("properties", {})
    return {name: shape for name, shape in found.items() if name != REPLACES_CARD}


def required_by(tool: ToolSpec) -> list[str]:
    """Return the required fields in the schema's order."""
    required = set(tool.parameters.get("required", ()))
    return [name for name in fields_of(tool) if name in required]


def kind_of(name: str, shape: Shape) -> Kind:
    """Return the kind of a field."""
    if {"postal_code", "line1"} & shape.get("properties", {}).keys():
        return "address"
    if "sku" in shape.get("items", {}).get("properties", {}):
        return "items"
    by_schema = _kind_by_schema(shape)
    if by_schema:
        return by_schema
    kinds: tuple[Kind, ...] = ("order", "amount", "reason")
    named = next((kind for kind in kinds if kind in name.split("_")), None)
    if named or "pattern" not in shape:
        return named or "text"
    return "number" if all(re.search(str(shape["pattern"]), one, re.ASCII) for one in _DECIMALS) else "pattern"


def _kind_by_schema(shape: Shape) -> Kind | None:
    """Return the kind of a field if its schema alone determines it; None for other text fields."""
    if "enum" in shape:
        return "choice"
    if "enum" in shape.get("items", {}):
        return "choices"
    if shape.get("format") == "date":
        return "date"
    if "properties" in shape.get("items", {}):
        return "objects"
    kinds: dict[str, Kind] = {"integer": "number", "boolean": "flag", "array": "list", "object": "object"}
    return kinds.get(str(shape.get("type")))


def field_of_kind(tool: ToolSpec, kind: Kind) -> str:
    """Return the name of the tool's field of this kind; "" if there is none."""
    fields = {name: shape for name, shape in fields_of(tool).items() if name not in tool.chosen}
    return next((name for name, shape in fields.items() if kind_of(name, shape) == kind), "")


def missing_in(tool: ToolSpec, values: Mapping[str, Any]) -> list[str]:
    """Return the fields to ask for, in the schema's order. Fields that are filled in from the chat are left out."""
    fields = fields_of(tool)
    needed = [name for name in required_by(tool) if name not in tool.from_chat]
    return [name for name in needed if not _is_whole(fields[name], values.get(name))]


def _is_whole(shape: Shape, value: Any) -> bool:
    if "properties" in shape:
        return isinstance(value, Mapping) and _has_whole_parts(shape, value)
    if isinstance(value, list) and "properties" in shape.get("items", {}):
        return len(value) >= shape.get("minItems", 0) and all(_is_whole(shape["items"], entry) for entry in value)
    return value is not None


def _has_whole_parts(shape: Shape, value: Mapping[str, Any]) -> bool:
    required = shape.get("required", ())
    needed = (name for name in shape["properties"] if name in required or name in value)
    return all(_is_whole(shape["properties"][name], value.get(name)) for name in needed)


def parts_of(kind: Kind, shape: Shape) -> Shape:
    """Return the schema of an object whose parts are asked for separately; {} for a single value."""
    return shape if kind in ("address", "object") else shape["items"] if kind in OF_OBJECTS else {}
