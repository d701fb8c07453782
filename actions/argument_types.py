"""Typed, closed arguments: unknown fields are refused, and no value is converted to another type.

A field parses one value and describes itself in JSON Schema for a model's tool list. Parsing removes spaces around
text, and corrects the case of text with a pattern and the format of amounts. Errors are collected under the path of
their field, such as `address.city`.
"""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol

from django.utils.translation import gettext

from actions.argument_json import INVISIBLE_CATEGORIES, Number, printable_name
from actions.errors import InvalidArguments
from actions.money import AMOUNT, USUAL_DECIMALS, parse_amount
from supportbot.language.letter_case import in_fitting_case
from supportbot.language.normalise import visible
from supportbot.team_formats import listed

Problems = dict[str, list[str]]
# Words and emoji need some format characters (Cf); `visible` decides which are allowed, and where.
_UNREADABLE: Final = INVISIBLE_CATEGORIES - {"Cf"}


class Field(Protocol):
    def parse(self, value: Any, at: str, problems: Problems) -> Any:
        """Return the canonical value. An error is added to `problems` under `at`; the returned value then means
        nothing.
        """

    def json_schema(self) -> dict[str, Any]: ...


def _add_problem(problems: Problems, at: str, message: str) -> None:
    problems.setdefault(at, []).append(message)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text without invisible characters, which could hide or reverse text."""

    description: str
    max_length: int = 100
    pattern: str = ""
    example: str = ""  # explains the pattern to people
    may_be_empty: bool = False

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if not isinstance(value, str):
            _add_problem(problems, at, gettext("Enter text."))
            return ""
        text = unicodedata.normalize("NFC", value).strip()
        if any(unicodedata.category(char) in _UNREADABLE for char in value) or visible(text) != text:
            _add_problem(problems, at, gettext("Remove control characters, invisible characters and stacked accents."))
        elif not text:
            if not self.may_be_empty:
                _add_problem(problems, at, gettext("This is required."))
        elif len(text) > self.max_length:
            _add_problem(problems, at, gettext("At most {max_length} characters.").format(max_length=self.max_length))
        elif self.pattern:
            fitting = in_fitting_case(text, lambda one: re.fullmatch(self.pattern, one, re.ASCII) is not None)
            if fitting is not None:
                return fitting
            _add_problem(
                problems, at, gettext("Use a format such as {example}.").format(example=self.example or self.pattern)
            )
        return text

    def json_schema(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"type": "string", "description": self.description, "maxLength": self.max_length}
        shape |= {"pattern": f"^{self.pattern}$"} if self.pattern else {}
        return shape | ({"examples": [self.example]} if self.example else {})


@dataclass(frozen=True, slots=True)
class OrderId:
    """A merchant's order number: ASCII only, so that no look-alike can stand in for it."""

    description: str = "The order number, exactly as in the customer's message or the list of orders."

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if isinstance(value, str) and _ORDER_ID.fullmatch(value):
            return value
        _add_problem(problems, at, gettext("Enter one order number: at most 40 letters, digits, - and _."))
        return ""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "pattern": f"^{_ORDER_ID.pattern}$"}


_ORDER_ID: Final = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount above zero, given as a string or a JSON number and returned as a string such as "12.50". A third
    decimal is kept; whether the order's currency allows it is checked later.
    """

    description: str

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        text = value.text if isinstance(value, Number) else value
        amount = parse_amount(text) if isinstance(text, str) else None
        if amount is None or not amount:
            _add_problem(problems, at, gettext('Enter an amount above zero in digits, with a decimal point: "12.50".'))
            return ""
        return f"{amount:.{max(USUAL_DECIMALS, _decimals(amount))}f}"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "pattern": f"^{AMOUNT.pattern}$"}


def _decimals(amount: Decimal) -> int:
    return -int(amount.as_tuple().exponent)


@dataclass(frozen=True, slots=True)
class Count:
    """An integer."""

    description: str
    maximum: int = 100
    minimum: int = 1

    def parse(self, value: Any, at: str, problems: Problems) -> int:
        if isinstance(value, Number) and re.fullmatch(r"-?[0-9]{1,16}", value.text, re.ASCII):
            count = int(value.text)
            if self.minimum <= count <= self.maximum and value.text != "-0":
                return count
        _add_problem(
            problems,
            at,
            gettext("Enter a whole number from {minimum} to {maximum}.").format(
                minimum=self.minimum, maximum=self.maximum
            ),
        )
        return 0

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "integer", "description": self.description, "minimum": self.minimum, "maximum": self.maximum,
        }  # fmt: skip


_LOWEST: Final = Decimal(-1_000_000_000)
_HIGHEST: Final = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class DecimalNumber:
    """A decimal number, given as a JSON number or text and returned as text without trailing zeros, such as "2.5"."""

    description: str
    minimum: Decimal = _LOWEST
    maximum: Decimal = _HIGHEST

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        text = value.text if isinstance(value, Number) else value
        number = Decimal(text) if isinstance(text, str) and _DECIMAL.fullmatch(text) else None
        if number is None or not self.minimum <= number <= self.maximum:
            _add_problem(
                problems,
                at,
                gettext("Enter a number from {minimum} to {maximum}, such as 2.5.").format(
                    minimum=self.minimum, maximum=self.maximum
                ),
            )
            return ""
        plain = f"{number:f}"
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return "0" if plain == "-0" else plain

    def json_schema(self) -> dict[str, Any]:
        bounds = {"minimum": (self.minimum, _LOWEST), "maximum": (self.maximum, _HIGHEST)}
        shape = {"type": "string", "description": self.description, "pattern": f"^{_DECIMAL.pattern}$"}
        return shape | {name: _as_number(own) for name, (own, usual) in bounds.items() if own != usual}


def _as_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_DECIMAL: Final = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few strings."""

    description: str
    options: tuple[str, ...]

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if isinstance(value, str) and value in self.options:
            return value
        _add_problem(problems, at, gettext("Choose one of: {names}.").format(names=", ".join(self.options)))
        return ""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Flag:
    """A value that is true or false."""

    description: str

    def parse(self, value: Any, at: str, problems: Problems) -> bool:
        if not isinstance(value, bool):
            _add_problem(problems, at, gettext("Enter true or false."))
        return value is True

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean", "description": self.description}


@dataclass(frozen=True, slots=True)
class Date:
    """A calendar day, given as text such as "2026-05-31"."""

    description: str

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        # date.fromisoformat also accepts other ISO forms, such as 20260531 and 2026-W22-7.
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
            with suppress(ValueError):
                return date.fromisoformat(value).isoformat()
        _add_problem(problems, at, gettext("Enter a date such as 2026-05-31."))
        return ""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "format": "date"}


@dataclass(frozen=True, slots=True)
class Listing:
    """A list whose entries are all parsed by the same field."""

    description: str
    of: Field
    max_length: int = 50
    min_length: int = 1

    def parse(self, value: Any, at: str, problems: Problems) -> list[Any]:
        if not isinstance(value, list) or not self.min_length <= len(value) <= self.max_length:
            _add_problem(
                problems,
                at,
                gettext("Enter a list of {min_length} to {max_length} entries.").format(
                    min_length=self.min_length, max_length=self.max_length
                ),
            )
            return []
        return [self.of.parse(entry, f"{at}.{position}", problems) for position, entry in enumerate(value)]

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "array", "description": self.description, "items": self.of.json_schema(),
            "minItems": self.min_length, "maxItems": self.max_length,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with exactly these fields, and at most one of the `exclusive` ones."""

    required: Mapping[str, Field]
    optional: Mapping[str, Field]
    description: str = ""
    exclusive: tuple[str, ...] = ()

    @property
    def all_fields(self) -> dict[str, Field]:
        return {**self.required, **self.optional}

    def parse(self, value: Any, at: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            _add_problem(problems, at or "arguments", gettext("Enter an object."))
            return {}
        fields = self.all_fields
        prefix = f"{at}." if at else ""
        for name in sorted(value.keys() - fields.keys()):
            _add_problem(problems, f"{prefix}{printable_name(name)}", gettext("Unknown argument."))
        for name in sorted(self.required.keys() - value.keys()):
            _add_problem(problems, f"{prefix}{name}", gettext("This argument is required."))
        if len(set(self.exclusive) & value.keys()) > 1:
            for name in self.exclusive:
                _add_problem(
                    problems,
                    f"{prefix}{name}",
                    gettext("Use only one of {names}.").format(names=listed(self.exclusive)),
                )
        return {
            name: field.parse(value[name], f"{prefix}{name}", problems)
            for name, field in fields.items()
            if name in value
        }

    def json_schema(self) -> dict[str, Any]:
        fields = self.all_fields
        shape: dict[str, Any] = {
            "type": "object",
            "properties": {name: field.json_schema() for name, field in fields.items()},
            "required": sorted(self.required),
            "additionalProperties": False,
        }
        return {**shape, "description": self.description} if self.description else shape


def parse_arguments(shape: Shape, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical arguments; raises InvalidArguments with all errors by field."""
    problems: Problems = {}
    parsed = shape.parse(value, "", problems)
    if problems:
        raise InvalidArguments(fields=problems)
    return parsed
