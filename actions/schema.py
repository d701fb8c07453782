"""Typed arguments, closed: what a field does not expect is refused, nothing is converted.

A field parses one value and says what it is in JSON Schema, for a model's tool list. Mistakes are collected under the
path of their field, such as `address.city`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from actions.errors import InvalidArguments
from actions.money import AMOUNT, USUAL_DECIMALS, amount_of
from actions.strictjson import UNSEEN, Number, shown_name
from supportbot.language.normalise import visible

Problems = dict[str, list[str]]
# Of the format signs, words and emoji need some: `visible` knows which, and where.
_UNREADABLE: Final = UNSEEN - {"Cf"}


class Field(Protocol):
    def parse(self, value: Any, at: str, problems: Problems) -> Any:
        """Return the canonical value; on a mistake add it under `at` and return anything."""

    def json_schema(self) -> dict[str, Any]: ...


def _wrong(problems: Problems, at: str, message: str) -> None:
    problems.setdefault(at, []).append(message)


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text without invisible characters, which could hide or turn around what a reader sees."""

    description: str
    max_length: int = 100
    pattern: str = ""
    example: str = ""  # what a pattern means, for people

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if not isinstance(value, str):
            _wrong(problems, at, "Write a text.")
            return ""
        text = unicodedata.normalize("NFC", value).strip()
        if any(unicodedata.category(char) in _UNREADABLE for char in value) or visible(text) != text:
            _wrong(problems, at, "Control characters, invisible characters and stacks of accents are not allowed.")
        elif not text:
            _wrong(problems, at, "This may not be empty.")
        elif len(text) > self.max_length:
            _wrong(problems, at, f"At most {self.max_length} characters.")
        elif self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            _wrong(problems, at, f"Write it in a form such as {self.example or self.pattern}.")
        return text

    def json_schema(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"type": "string", "description": self.description, "maxLength": self.max_length}
        return {**shape, "pattern": f"^{self.pattern}$"} if self.pattern else shape


@dataclass(frozen=True, slots=True)
class OrderId:
    """A merchant's order number: ASCII, so that no look-alike passes for it."""

    description: str = "The number of the customer's order, exactly as they or the order list wrote it."

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        if isinstance(value, str) and _ORDER_ID.fullmatch(value):
            return value
        _wrong(problems, at, "Write one order number: letters, digits, - and _, at most 40.")
        return ""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "description": self.description, "pattern": f"^{_ORDER_ID.pattern}$"}


_ORDER_ID: Final = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money above zero, as text or as a JSON number written that way; becomes "12.50".

    A third decimal is kept for the currencies that have one: whose order it is decides, when its currency is known.
    """

    description: str

    def parse(self, value: Any, at: str, problems: Problems) -> str:
        text = value.text if isinstance(value, Number) else value
        amount = amount_of(text) if isinstance(text, str) else None
        if amount is None or not amount:
            _wrong(problems, at, 'Write an amount above zero in digits, with a point before its decimals: "12.50".')
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
        _wrong(problems, at, f"Write a whole number from 1 to {self.maximum}.")
        return 0

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "description": self.description, "minimum": 1, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Listing:
    """A list with at least one entry."""

    description: str
    of: "Shape"
    max_length: int = 50

    def parse(self, value: Any, at: str, problems: Problems) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= self.max_length:
            _wrong(problems, at, f"Write a list of 1 to {self.max_length} entries.")
            return []
        return [self.of.parse(entry, f"{at}.{position}", problems) for position, entry in enumerate(value)]

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "array", "description": self.description, "items": self.of.json_schema(),
            "minItems": 1, "maxItems": self.max_length,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with exactly these fields; of the `exclusive` ones it has one at most."""

    required: Mapping[str, Field]
    optional: Mapping[str, Field]
    description: str = ""
    exclusive: tuple[str, ...] = ()

    def parse(self, value: Any, at: str, problems: Problems) -> dict[str, Any]:
        if not isinstance(value, dict):
            _wrong(problems, at or "arguments", "Write an object.")
            return {}
        fields = {**self.required, **self.optional}
        prefix = f"{at}." if at else ""
        for name in sorted(value.keys() - fields.keys()):
            _wrong(problems, f"{prefix}{shown_name(name)}", "This argument is not known here.")
        for name in sorted(self.required.keys() - value.keys()):
            _wrong(problems, f"{prefix}{name}", "This argument is required.")
        if len(set(self.exclusive) & value.keys()) > 1:
            for name in self.exclusive:
                _wrong(problems, f"{prefix}{name}", f"Give only one of {' and '.join(self.exclusive)}.")
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


def parse_by(shape: Shape, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical arguments; raises InvalidArguments with every mistake under its field."""
    problems: Problems = {}
    parsed = shape.parse(value, "", problems)
    if problems:
        raise InvalidArguments(fields=problems)
    return parsed
