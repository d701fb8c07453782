"""JSON as strangers send it: whatever two readers could understand differently is refused.

Python's reader takes NaN, keeps the last of two equal keys, counts 1.0 as a number like any other and may run out of
stack: each of these becomes an error with a cause.
"""

import json
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16
MAX_NUMBER_CHARACTERS: Final = 20


class BadJson(ValueError):
    """Not the JSON we take; the message says why, in a sentence for whoever wrote the client."""


def loads(text: str) -> Any:
    """Return the value; raises BadJson for broken JSON, equal keys, NaN, numbers of many digits and deep nesting."""
    _check_depth(text)
    try:
        return _decoder.decode(text)
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson("This is not JSON.") from error


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the reader recurses."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, is_text, is_escaped = 0, False, False
    for character in text:
        if is_text:
            is_escaped, is_text = character == "\\" and not is_escaped, character != '"' or is_escaped
        elif character == '"':
            is_text = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadJson(f"This JSON is nested deeper than {MAX_DEPTH} levels.")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value:
            raise BadJson("This JSON names one key twice.")
        value[name] = item
    return value


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise BadJson(f"A number here has at most {MAX_NUMBER_CHARACTERS} digits.")
    return int(digits)


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
