"""The weekdays and months that a text names, in English and German. Pure."""

import re
from typing import Final

Span = tuple[int, int]  # first and last, the same for a single one; days from 0 for Monday, months from 10

_DAYS: Final = "monday|montag tuesday|dienstag wednesday|mittwoch thursday|donnerstag friday|freitag saturday|samstag"
_MONTHS: Final = (
    "january|januar february|februar march|märz april may|mai june|juni july|juli august september october|oktober"
    " november december|dezember"
)
_NAMES: Final = {
    name: number
    for first, rows in ((0, f"{_DAYS}|sonnabend sunday|sonntag"), (10, _MONTHS))
    for number, row in enumerate(rows.split(), start=first)
    for name in row.split("|")
}
_SPANS: Final = {"weekday": (0, 4), "wochentag": (0, 4), "weekend": (5, 6), "wochenende": (5, 6)}
# "May" and "March" begin sentences that are about no month.
_ALWAYS: Final = "|".join(name.capitalize() for name in _NAMES if name not in ("may", "march"))
_NAME: Final = rf"(?:{_ALWAYS}|(?<=\w )(?:May|March))"
_NAMED: Final = re.compile(
    rf"\b(?P<first>{_NAME})(?:e?s|en)?(?:\s?(?:to|through|until|till|bis|[-–])\s?(?:zum\s)?(?P<last>{_NAME})s?)?\b"
    r"|\b(?P<span>[Ww]eekday|[Ww]eekend|Wochentag|Wochenende)(?:e?n|s)?\b"
)


def dates_in(text: str) -> frozenset[Span]:
    """Return the days and months that a text names."""
    return frozenset(span for match in _NAMED.finditer(text) for span in _spans(match))


def without_dates(text: str) -> str:
    """Return a text without the days and months that it names."""
    return _NAMED.sub(" ", text)


def are_within(spans: frozenset[Span], others: frozenset[Span]) -> bool:
    """Return whether each single one lies in one of the others, and each longer one is among them as it stands."""
    return all(
        (first, last) in others or (first == last and any(begin <= first <= end for begin, end in others))
        for first, last in spans
    )


def _spans(match: re.Match[str]) -> tuple[Span, ...]:
    if match["span"]:
        return (_SPANS[match["span"].lower()],)
    first = _NAMES[match["first"].lower()]
    last = _NAMES[match["last"].lower()] if match["last"] else first
    return ((first, last),) if first <= last else ((first, first), (last, last))
