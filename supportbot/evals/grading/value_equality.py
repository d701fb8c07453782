"""Compares what a case expects with the result. Pure. In a merchant's records, numbers may differ by half a cent, and a
missing field equals null. In the arguments of a call, the spelling may differ.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

NEAR: Final = Decimal("0.005")
Difference = tuple[str, Any, Any]  # the path, the expected value, the actual value


def is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same."""
    return next(differences(one, other), None) is None


def differences(wanted: Any, got: Any, place: str = "") -> Iterator[Difference]:
    """Yield the differences between two JSON values, in their order."""
    match wanted, got:
        case bool(), bool():
            is_equal = wanted == got
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            is_equal = abs(Decimal(str(wanted)) - Decimal(str(got))) < NEAR
        case dict(), dict():
            for key in {**wanted, **got}:
                yield from differences(wanted.get(key), got.get(key), f"{place}.{key}" if place else str(key))
            return
        case list(), list() if len(wanted) == len(got):
            for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
                yield from differences(one, other, f"{place}[{number}]")
            return
        case _:
            is_equal = bool(wanted == got)
    if not is_equal:
        yield place, wanted, got


def includes(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether the arguments include all expected ones; further arguments are allowed."""
    return all(name in given and _equal(given[name], value) for name, value in wanted.items())


def _equal(given: Any, wanted: Any) -> bool:
    if isinstance(given, Mapping) and isinstance(wanted, Mapping):
        return includes(given, wanted)
    if isinstance(given, list | tuple) and isinstance(wanted, list | tuple):
        return len(given) == len(wanted) and all(map(_equal, given, wanted))
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    return bool(_plain(given) == _plain(wanted))


def _plain(value: Any) -> Any:
    """Return a normalised value: "12.5" and 12.50 become equal, and so do different spellings of a word."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return folded(str(value))


def folded(text: str) -> str:
    """Return the text in a form that ignores differences in spaces, apostrophes and capitals."""
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'").casefold().split())
