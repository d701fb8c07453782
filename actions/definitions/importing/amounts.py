"""Finding amounts of money among the fields of a response: pairs of a figure and its currency. Pure.

An amount in the wrong unit is worse than two plain fields, and an amount that cannot be computed makes the whole
look-up fail. So a figure becomes an amount only if the file proves its unit, and money only if the file lists the
currency's codes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.importing.drafts import Draft, printable, snake
from actions.definitions.importing.json_schema import listed_types
from actions.money import CURRENCY, USUAL_DECIMALS, currency_decimals

_FIGURE: Final = re.compile(r"-?[0-9]+\.[0-9]{2,3}", re.ASCII)
_DECIMAL: Final = "decimal"  # the format of a number in a string, in OpenAPI's registry
_MAX_CODES: Final = 200  # more than there are currencies


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money in a response: the field with its figure, the field with its currency, and what shows both as
    one value.
    """

    field: str
    currency: str
    name: str
    shows: Mapping[str, Any]  # "value", an expression, or "words"


def amounts_in(fields: Mapping[str, Any], of: str) -> list[Amount]:
    """Return the amounts among the plain fields of an object (name: schema) if exactly one field is their currency.

    If there are fields whose names end with "amount" or "cents", nothing is returned unless all of them prove their
    unit: fields in cents by listed currencies that all have cents, other fields by decimals. If there are no such
    fields, the only figure with decimals is the amount. Amounts become money if the file lists the currencies;
    otherwise, they become words with the currency as it is.
    """
    named = [name for name in fields if _last_word(name) == "currency" and "string" in _kinds(fields[name])]
    if len(named) != 1:
        return []
    currency, codes = named[0], _codes(fields[named[0]])
    figures = [name for name in fields if _last_word(name) in ("amount", "cents")] or _only_figure(fields)
    found = [_amount(name, fields[name], currency, codes, of) for name in figures]
    return [] if None in found else [one for one in found if one is not None]


def check_amounts(draft: Draft, fields: Iterable[Mapping[str, Any]]) -> None:
    """Ask a person to check the unit of each amount among the fields that a result or a receipt shows."""
    for one in fields:
        shown = one["words"]["en"] if "words" in one else one["value"]
        if "words" in one or shown.startswith("money("):
            draft.check(
                gettext_noop("{field}: shown as one amount, {amount}. Check that the system uses this unit."),
                field=one["name"],
                amount=printable(shown.partition(" if ")[0], 160),
            )


def _amount(name: str, schema: Any, currency: str, codes: list[str], of: str) -> Amount | None:
    """Return how a figure is shown as an amount; None if the file does not prove its unit."""
    figure, code = f"{of}.{name}", f"{of}.{currency}"
    is_number = _kinds(schema) <= {"integer", "number"}
    known = f"has({figure}) and has({code}) and text({code}) in [{', '.join(map(repr, codes))}]"
    if _last_word(name) == "cents":
        has_cents = is_number and codes and all(currency_decimals(one) == USUAL_DECIMALS for one in codes)
        own_name = snake(name).removesuffix("cents").rstrip("_") or "amount"
        value = f"money(number({figure}) / 100, {code}) if {known} else null"  # some systems write numbers as strings
        return Amount(name, currency, own_name, {"value": value}) if has_cents else None
    if not _has_decimals(schema):
        return None
    if is_number and codes:
        value = f"money({figure}, {code}) if {known} else {figure} if has({figure}) else null"
        return Amount(name, currency, snake(name), {"value": value})
    words = f"{{{figure}}} {{{code} if has({code}) else ''}}"
    return Amount(name, currency, snake(name), {"words": {"en": words}})


def _only_figure(fields: Mapping[str, Any]) -> list[str]:
    found = [name for name, schema in fields.items() if _kinds(schema) == {"number"} or _has_decimals(schema)]
    return found if len(found) == 1 else []


def _has_decimals(schema: Any) -> bool:
    """Return whether the file says that a number, or a number in a text, has decimals: by its format, its step or an
    example. The type `number` alone does not, because it includes whole numbers of cents.
    """
    kinds = _kinds(schema)
    if not kinds <= {"number", "string"}:
        return False
    step = schema.get("multipleOf")
    if ("string" in kinds and schema.get("format") == _DECIMAL) or (isinstance(step, float) and 0 < step < 1):
        return True
    return any(_is_figure(one) for one in _examples(schema))


def _is_figure(example: Any) -> bool:
    if isinstance(example, str):
        return _FIGURE.fullmatch(example) is not None
    return isinstance(example, float) and not example.is_integer()


def _examples(schema: Mapping[str, Any]) -> Iterator[Any]:
    several = schema.get("examples")
    yield from (schema.get("example"), schema.get("default"), *(several if isinstance(several, list) else ()))


def _codes(schema: Mapping[str, Any]) -> list[str]:
    """Return the currencies that the file lists for a field; [] unless all of them are codes such as EUR."""
    listed = schema["enum"] if isinstance(schema.get("enum"), list) else [schema.get("const")]
    codes = [one for one in listed if one is not None]
    are_codes = all(isinstance(one, str) and CURRENCY.fullmatch(one) for one in codes)
    return list(dict.fromkeys(codes)) if are_codes and len(codes) <= _MAX_CODES else []


def _last_word(name: str) -> str:
    return snake(name).rpartition("_")[2]


def _kinds(schema: Any) -> set[str]:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return {str(one) for one in listed_types(kind) or [kind]} - {"null"}
