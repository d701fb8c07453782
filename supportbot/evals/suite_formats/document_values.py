"""Reads values in a suite's document. Each function returns the value, or raises InvalidSuite with the path of the
value. Pure.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.validation import check_storable
from supportbot.evals.errors import InvalidSuite

MAX_TEXT: Final = 4_000
MAX_TAGS: Final = 20
MAX_TAG: Final = 80


def check_storable_values(value: Any, where: str) -> None:
    """Raise InvalidSuite for values that the database cannot store: NUL, lone surrogates, NaN."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, float) and not isfinite(one):
            raise InvalidSuite(placed(where, gettext("`{key}` must be text.").format(key=one)))
        elif isinstance(one, str):
            try:
                check_storable("text", one)
            except InvalidDocument as error:
                raise InvalidSuite(placed(where, error.message)) from error


def mapping_of(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSuite(placed(where, gettext("a mapping of keys to values is required here.")))
    return value


def only(found: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for name in found:
        if name not in known:
            raise InvalidSuite(placed(where, unknown_key(name, known)))


def unknown_key(name: object, known: Iterable[str]) -> str:
    names = ", ".join(f"`{one}`" for one in sorted(known))
    return gettext("unknown key `{key}`. Use one of: {names}.").format(key=str(name)[:60], names=names)


def text_of(found: Mapping[str, Any], name: str, where: str, *, needed: bool = False) -> str:
    value = found.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        value = None if value is not None else ""
    text = "" if value is None else str(value).strip()
    if value is None or len(text) > MAX_TEXT or (needed and not text):
        raise InvalidSuite(placed(where, gettext("`{key}` must be text.").format(key=name)))
    return text


def flag_of(found: Mapping[str, Any], name: str, where: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise InvalidSuite(placed(where, gettext("`{key}` must be true or false.").format(key=name)))
    return value


def number_of(found: Mapping[str, Any], name: str, where: str, *, least: int = 1, most: int, default: int) -> int:
    value = found.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        problem = gettext("`{key}` must be a whole number from {least} to {most}.").format(
            key=name, least=least, most=most
        )
        raise InvalidSuite(placed(where, problem))
    return value


def texts_of(value: Any, name: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and len(one) <= MAX_TAG for one in value[:MAX_TAGS]):
        raise InvalidSuite(placed(where, gettext("`{key}` must be a list of strings.").format(key=name)))
    if len(value) > MAX_TAGS:
        raise InvalidSuite(
            placed(where, gettext("use one string or a list of at most {most} strings.").format(most=MAX_TAGS))
        )
    return value


def at(file: str, number: int) -> str:
    return placed(file, gettext("case {key}").format(key=number))


def placed(*places: str) -> str:
    """Return a path with the outermost part first: "demo.yaml: case returns: expect: figures"."""
    return ": ".join(place for place in places if place)
