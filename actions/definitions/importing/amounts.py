"""Finds the amounts of money among the fields of an answer, which are a figure beside its currency. Pure."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from actions.definitions.importing.drafts import snake
from actions.definitions.importing.shapes import listed_types

_FIGURE: Final = re.compile(r"-?[0-9]+\.[0-9]{2,3}", re.ASCII)
_DECIMAL: Final = "decimal"  # the format of a number in a text, in the registry of OpenAPI


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount: the field with its figure, the field with its currency, and what shows both as one value."""

    field: str
    currency: str
    name: str
    shows: Mapping[str, Any]  # "value", an expression, or "words"


def amounts_in(fields: Mapping[str, Any], required: Set[str], of: str) -> list[Amount]:
    """Return the amounts among the plain fields of an object, whose schemas are given, if one field is their currency.

    A field is an amount if its name ends with "amount" or "cents"; whole numbers named "amount" are not, since they
    might be cents. Without any, the only figure with decimals is shown with its currency, as it is.
    """
    named = [name for name in fields if _last_word(name) == "currency" and "string" in _kinds(fields[name])]
    if len(named) != 1:
        return []
    currency = named[0]
    found: list[Amount] = []
    for name, own_name, figure in _named_amounts(fields, of):
        value = f"money({figure}, {of}.{currency})"
        if not {name, currency} <= required:
            value += f" if has({of}.{name}) and has({of}.{currency}) else null"
        found.append(Amount(name, currency, own_name, {"value": value}))
    return found or [
        Amount(name, currency, snake(name), {"words": {"en": f"{{{of}.{name}}} {{{of}.{currency}}}"}})
        for name in _only_figure(fields)
    ]


def _named_amounts(fields: Mapping[str, Any], of: str) -> Iterator[tuple[str, str, str]]:
    """Yield the field, the name for it, and the expression of its figure in the currency's main unit."""
    for name, schema in fields.items():
        last, kinds = _last_word(name), _kinds(schema)
        if last == "cents" and kinds & {"integer", "number"}:
            yield name, snake(name).removesuffix("cents").rstrip("_") or "amount", f"{of}.{name} / 100"
        elif last == "amount" and (kinds == {"number"} or _is_decimal_text(schema)):
            yield name, snake(name), f"{of}.{name}"


def _only_figure(fields: Mapping[str, Any]) -> list[str]:
    found = [name for name, schema in fields.items() if _kinds(schema) == {"number"} or _is_decimal_text(schema)]
    return found if len(found) == 1 else []


def _is_decimal_text(schema: Any) -> bool:
    """Return whether a text is a number with decimals, by its format or its example."""
    if "string" not in _kinds(schema):
        return False
    several = schema.get("examples")
    examples = [schema.get("example"), *(several if isinstance(several, list) else ())]
    return schema.get("format") == _DECIMAL or any(_FIGURE.fullmatch(one) for one in examples if isinstance(one, str))


def _last_word(name: str) -> str:
    return snake(name).rpartition("_")[2]


def _kinds(schema: Any) -> set[str]:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return {str(one) for one in listed_types(kind) or [kind]} - {"null"}
