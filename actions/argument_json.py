"""Strict JSON for external arguments: every ambiguity is refused.

Python's parser accepts NaN, keeps the last of several equal keys, and turns numbers into floats. Here, a number keeps
its text, so amounts are exact.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from django.utils.translation import gettext

from actions.errors import InvalidArguments
from supportbot.team_formats import number

MAX_CHARACTERS: Final = 16_000
# Control, format (bidi, zero width), lone surrogates, private use, unassigned, line and paragraph separators.
INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number, as it was written."""

    text: str


def read_arguments(raw: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object in `raw`, with numbers as `Number`; raises InvalidArguments with the cause.

    A mapping goes through the same parser, so the same rules apply to it as to text.
    """
    text = raw if isinstance(raw, str) else _written(raw)
    if len(text) > MAX_CHARACTERS:
        raise _unreadable(gettext("The input has more than {most} characters.").format(most=number(MAX_CHARACTERS)))
    try:
        value = _decoder.decode(text)
    except InvalidArguments:
        raise
    except RecursionError as error:
        raise _unreadable(gettext("The input is nested too deeply.")) from error
    except ValueError as error:
        raise _unreadable(gettext("The input is not a JSON object.")) from error
    if not isinstance(value, dict):
        raise _unreadable(gettext("The input is not a JSON object."))
    return value


def as_text(value: Any) -> str:
    """Return a result of `read_arguments` as JSON text, with each number as it was written. Raises InvalidArguments for
    a result that is nested too deeply.
    """
    try:
        return _rendered(value)
    except RecursionError as error:  # this recursion reaches Python's limit before the parser reaches its own
        raise _unreadable(gettext("The input is nested too deeply.")) from error


def _rendered(value: Any) -> str:
    match value:
        case Number():
            return value.text
        case dict():
            return "{" + ",".join(f"{_dumped(name)}:{_rendered(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_rendered, value)) + "]"
    return _dumped(value)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # escapes would make the text longer


def printable_name(name: str) -> str:
    """Return an external key in a form that can be stored and shown."""
    return "".join("?" if unicodedata.category(char) in INVISIBLE_CATEGORIES else char for char in name[:60])


def _written(raw: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(raw), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unreadable(gettext("The input contains a value that JSON does not support.")) from error


def _unreadable(cause: str) -> InvalidArguments:
    return InvalidArguments(
        gettext("The arguments could not be read. {cause}").format(cause=cause), fields={"arguments": [cause]}
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value:
            raise InvalidArguments(fields={printable_name(name): [gettext("This argument is given twice.")]})
        value[name] = item
    return value


def _no_constant(name: str) -> NoReturn:
    raise _unreadable(gettext("{value} is not valid JSON.").format(value=name))


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=Number, parse_float=Number
)
