"""Typed, closed arguments: unexpected values are refused, nothing is converted.

A field parses one value and describes itself in JSON Schema for a model's tool list. Errors are collected under the
path of their field, such as `address.city`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from actions.errors import InvalidArguments
from actions.money import AMOUNT, USUAL_DECIMALS, parse_amount
from actions.strictjson import INVISIBLE_CATEGORIES, Number, printable_name
from supportbot.language.normalise import visible

Problems = dict[str, list[str]]
# Words and emoji need some of the format characters (Cf): `visible` knows which, and where.
_UNREADABLE: Final = INVISIBLE_CATEGORIES - {"Cf"}


class Field(Protocol):
    def parse(self, value: Any, at: str, problems: Problems) -> Any:
        """Return the canonical value; on an error, add it to `problems` under `at` and return any value."""

    def json_schema(self) -> dict[str, Any]: ...


def _add_problem(problems: Problems, at: str, message: str) -> None:
    problems.setdefault(at, []).append(message)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text without invisible characters, which could hide or reverse what a reader sees."""

    description: str
    max_length: int = 100
    pattern: str = ""
    example: str = ""  # explains the pattern to people

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if not isinstance(value, str):
            _add_problem(problems, at, "Enter text.")
            return ""
        text = unicodedata.normalize("NFC", value).strip()
        if any(unicodedata.category(char) in _UNREADABLE for char in value) or visible(text) != text:
            _add_problem(problems, at, "Remove control characters, invisible characters and stacked accents.")
        elif not text:
            _add_problem(problems, at, "This is required.")
        elif len(text) > self.max_length:
            _add_problem(problems, at, f"At most {self.max_length} characters.")
        elif self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            _add_problem(problems, at, f"Use a format such as {self.example or self.pattern}.")
        return text

    def json_schema(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"type": "string", "description": self.description, "maxLength": self.max_length}
        return {**shape, "pattern": f"^{self.pattern}$"} if self.pattern else shape


@dataclass(frozen=True, slots=True)
class OrderId:
    """A merchant's order number: ASCII only, so that no look-alike can stand in for it."""

    description: str = "The number of the customer's order, exactly as they or the order list wrote it."

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if isinstance(value, str) and _ORDER_ID.fullmatch(value):
            return value
        _add_problem(problems, at, "Enter one order number: at most 40 letters, digits, - and _.")
        return ""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "pattern": f"^{_ORDER_ID.pattern}$"}


_ORDER_ID: Final = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount above zero, as a string or as a JSON number in the same form; becomes "12.50".

    A third decimal is kept for currencies that have one. The order's currency decides later.
    """

    description: str

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        text = value.text if isinstance(value, Number) else value
        amount = parse_amount(text) if isinstance(text, str) else None
        if amount is None or not amount:
            _add_problem(problems, at, 'Enter an amount above zero in digits, with a decimal point: "12.50".')
            return ""
        return f"{amount:.{max(USUAL_DECIMALS, _decimals(amount))}f}"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "pattern": f"^{AMOUNT.pattern}$"}


def _decimals(amount: Decimal) -> int:
    return -int(amount.as_tuple().exponent)


@dataclass(frozen=True, slots=True)
class Count:
    description: str
    maximum: int = 100

    def parse(self, value: Any, at: str, problems: Problems) -> int:
        if isinstance(value, Number) and re.fullmatch(r"[0-9]{1,6}", value.text, re.ASCII):
            count = int(value.text)
            if 1 <= count <= self.maximum:
                return count
        _add_problem(problems, at, f"Enter a whole number from 1 to {self.maximum}.")
        return 0

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "description": self.description, "minimum": 1, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Listing:
    """A non-empty list."""

    description: str
    of: "Shape"
    max_length: int = 50

    def parse(self, value: Any, at: str, problems: Problems) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= self.max_length:
            _add_problem(problems, at, f"Enter a list of 1 to {self.max_length} entries.")
            return []
        return [self.of.parse(entry, f"{at}.{position}", problems) for position, entry in enumerate(value)]

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "array", "description": self.description, "items": self.of.json_schema(),
            "minItems": 1, "maxItems": self.max_length,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with exactly these fields, and at most one of the `exclusive` ones."""

    required: Mapping[str, Field]
    optional: Mapping[str, Field]
    description: str = ""
    exclusive: tuple[str, ...] = ()

    def parse(self, value: Any, at: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            _add_problem(problems, at or "arguments", "Enter an object.")
            return {}
        fields = {**self.required, **self.optional}
        prefix = f"{at}." if at else ""
        for name in sorted(value.keys() - fields.keys()):
            _add_problem(problems, f"{prefix}{printable_name(name)}", "Unknown argument.")
        for name in sorted(self.required.keys() - value.keys()):
            _add_problem(problems, f"{prefix}{name}", "This argument is required.")
        if len(set(self.exclusive) & value.keys()) > 1:
            for name in self.exclusive:
                _add_problem(problems, f"{prefix}{name}", f"Use only one of {' and '.join(self.exclusive)}.")
        return {
            name: field.parse(value[name], f"{prefix}{name}", problems)
            for name, field in fields.items()
            if name in value
        }

    def json_schema(self) -> dict[str, Any]:
        fields = {**self.required, **self.optional}
        shape: dict[str, Any] = {
            "type": "object",
            "properties": {name: field.json_schema() for name, field in fields.items()},
            "required": sorted(self.required),
            "additionalProperties": False,
        }
        return {**shape, "description": self.description} if self.description else shape


def parse_arguments(shape: Shape, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical arguments; raises InvalidArguments with every error under its field."""
    problems: Problems = {}
    parsed = shape.parse(value, "", problems)
    if problems:
        raise InvalidArguments(fields=problems)
    return parsed
