"""Compares two records of a merchant: numbers may differ by half a cent, and a missing field equals null. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

NEAR: Final = Decimal("0.005")
Difference = tuple[str, Any, Any]  # the path, the expected value, the actual value


def is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same."""
    return next(differences(one, other), None) is None


def differences(wanted: Any, got: Any, place: str = "") -> Iterator[Difference]:
    """Yield the differences between two JSON values, in order."""
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
