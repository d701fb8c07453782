"""Reading a request's JSON object: every invalid field is named, and unknown ones are refused."""

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from shop.errors import InvalidInput, TooLarge
from shop.money import to_cents

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,200}")
# Control characters do not belong in a name, a reason or an address; surrogates cannot be stored at all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def read_object(request: HttpRequest) -> dict[str, object]:
    """Return the body's JSON object; an empty body is an empty object."""
    try:
        raw = request.body
    except RequestDataTooBig as too_big:
        raise TooLarge("The body is larger than 64 KiB.") from too_big
    if not raw:
        return {}
    try:
        data = json.loads(raw.decode(), parse_constant=_no_constants)
    except (ValueError, RecursionError) as wrong:
        raise InvalidInput("The body is not valid JSON in UTF-8.") from wrong
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.")
    return data


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


class Fields:
    """One pass over an object's fields. Read each, then call `check`; until then, a returned value may be a
    placeholder.
    """

    def __init__(self, data: Mapping[str, object]) -> None:
        self._data = data
        self._known: set[str] = set()
        self._errors: dict[str, list[str]] = {}

    def check(self) -> None:
        """Raise InvalidInput with all errors, including unknown fields."""
        for name in sorted(self._data.keys() - self._known):
            self.reject(name[:60], "This field is unknown.")
        if self._errors:
            name, messages = next(iter(self._errors.items()))
            raise InvalidInput(f"{name}: {messages[0]}", fields=self._errors)

    def reject(self, name: str, message: str) -> None:
        self._errors.setdefault(name, []).append(message)

    def has(self, name: str) -> bool:
        self._known.add(name)
        return self._data.get(name) is not None

    def text(self, name: str, *, max_length: int) -> str:
        value = self._text(name)
        if _UNPRINTABLE.search(value):
            self.reject(name, "Control characters and lone surrogates are not allowed.")
        elif len(value) > max_length:
            self.reject(name, f"At most {max_length} characters.")
        elif not value.strip() and name not in self._errors:
            self.reject(name, "This field may not be empty.")
        return value.strip()

    def optional_text(self, name: str, *, max_length: int) -> str:
        """Return "" when the field is absent, null or empty."""
        return self.text(name, max_length=max_length) if self.has(name) and self._data[name] != "" else ""

    def key(self) -> str:
        value = self._text("key")
        if "key" not in self._errors and not _KEY.fullmatch(value):
            self.reject("key", "Use 1 to 200 letters, digits, dots, colons, dashes or underscores.")
        return value

    def cents(self, name: str) -> int:
        cents = to_cents(self._text(name))
        if name not in self._errors and not cents:
            self.reject(name, 'Write an amount above zero with at most two decimals, such as "12.50".')
        return cents or 0

    def whole(self, name: str, *, minimum: int, maximum: int) -> int:
        value = self.number(name, minimum=minimum, maximum=maximum)
        if value != int(value):
            self.reject(name, "Write a whole number.")
        return int(value)

    def number(self, name: str, *, minimum: int, maximum: int) -> float:
        value = self._read(name)
        # bool is an int in Python, but not to the author of the JSON.
        if isinstance(value, int | float) and not isinstance(value, bool) and minimum <= value <= maximum:
            return value
        self.reject(name, f"Write a number from {minimum} to {maximum}.")
        return minimum

    def entries(self, name: str) -> list[object]:
        value = self._read(name)
        if isinstance(value, list) and value:
            return value
        self.reject(name, "Write a list with at least one entry.")
        return []

    def _text(self, name: str) -> str:
        value = self._read(name)
        if isinstance(value, str):
            return value
        self.reject(name, "This field is required." if value is None else "Enter text.")
        return ""

    def _read(self, name: str) -> object:
        self._known.add(name)
        return self._data.get(name)
