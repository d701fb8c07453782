"""JSON for merchants' APIs: numbers stay decimal in both directions, and ambiguous JSON is refused."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from django.utils.translation import gettext

MAX_DIGITS: Final = 40
MAX_DEPTH: Final = 50
_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # an escape that may encode NUL or a surrogate
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def to_json(value: Any) -> bytes:
    """Return UTF-8 JSON; a Decimal keeps its digits and gets no exponent. Raises ValueError for values without a JSON
    form.
    """
    return _written(value, 0).encode()


def _written(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise ValueError(gettext("nested too deeply"))
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
            raise ValueError(gettext("a number that JSON does not support"))
        return format(value, "f")
    if isinstance(value, Mapping):
        entries = (f"{json.dumps(str(name))}:{_written(item, depth + 1)}" for name, item in value.items())
        return "{" + ",".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_written(item, depth + 1) for item in value) + "]"
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value)
    raise ValueError(gettext("a value that JSON does not support: {kind}").format(kind=type(value).__name__))


def from_json(raw: bytes) -> Any:
    """Return the value of UTF-8 JSON, with numbers other than whole ones as Decimal.

    Raises ValueError for invalid JSON, for duplicate keys, for numbers of more than 40 digits, for nesting that is too
    deep for the parser, and for NUL and lone surrogates, which neither the database nor a response can contain.
    """
    text = raw.decode()
    try:
        value = _decoder.decode(text)
        if _SUSPECT.search(text) and not _can_be_stored(value):
            raise ValueError("a character that cannot be stored")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _can_be_stored(value: Any) -> bool:
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    if isinstance(value, dict):
        return all(_can_be_stored(name) and _can_be_stored(item) for name, item in value.items())
    return all(_can_be_stored(item) for item in value) if isinstance(value, list) else True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number with too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number with too many digits")
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError("a number that is too large or too small")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_decimal, parse_constant=_no_constant
)
