"""Parses untrusted JSON, and rejects anything that two parsers could read differently.

Python's parser accepts NaN, keeps the last of two equal keys, accepts numbers of any length, and may exhaust the stack.
Here, each of these is an error with a reason.
"""

import json
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16
MAX_NUMBER_CHARACTERS: Final = 20


class BadJson(ValueError):
    """The JSON is not accepted. The message tells the client's author why."""


def loads(text: str) -> Any:
    """Return the parsed value. Raises BadJson for invalid JSON, duplicate keys, NaN, numbers that are too long, and
    nesting that is too deep.
    """
    _check_depth(text)
    try:
        return _decoder.decode(text)
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson("This is not valid JSON.") from error


def _check_depth(text: str) -> None:
    """Reject deep nesting before the parser recurses into it."""
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
                raise BadJson(f"This JSON is nested more than {MAX_DEPTH} levels deep.")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value:
            raise BadJson("This JSON has a duplicate key.")
        value[name] = item
    return value


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise BadJson(f"Numbers can have at most {MAX_NUMBER_CHARACTERS} digits.")
    return int(digits)


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
