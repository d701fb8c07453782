"""Recognises order numbers by their format, in any language: WF-20418, w1042, #A-17, or bare digits. Pure."""

import re
from typing import Final

from supportbot.language.figures import figures_in
from supportbot.language.postal_addresses import without_address

_LETTERED: Final = re.compile(
    r"(?<![\w.,€$£-])(?:#?[A-Za-z]{1,6}[-_]?\d{3,12}(?:-\d{1,6})?|[A-Z]{1,4}\s\d{4,12}|#\s?\d{3,12})(?![\w€$£%]|[.,]\d)"
)
WHOLE: Final = re.compile(r"[A-Z]{1,6}-\d{3,12}(?:-\d{1,6})?")
_BARE: Final = re.compile(r"(?<![\w.,€$£-])\d{3,12}(?:-\d{1,6})?(?![\w€$£%]|[.,]\d)")


def order_numbers_in(text: str, *, is_asked: bool = False) -> list[str]:
    """Return the order numbers in the text. Bare digits count if there are many, or if the customer was asked for a
    number.
    """
    return list(dict.fromkeys(number for _, _, number in placed_order_numbers(text, is_asked=is_asked)))


def placed_order_numbers(text: str, *, is_asked: bool = False) -> list[tuple[int, int, str]]:
    """Return each occurrence of an order number as (start, end, number), according to the rules of
    `order_numbers_in`.
    """
    figures = figures_in(text)
    other = [(figure.start, figure.end) for figure in figures if figure.kind not in ("count", "name")]
    found = [match for match in _LETTERED.finditer(text) if not _overlaps(match.span(), other)]
    if not found:
        bare = without_address(text)
        found = [match for match in _BARE.finditer(bare) if not _overlaps(match.span(), other)]
        found = [match for match in found if is_asked or len(match.group()) > 4 or not _is_year(match.group())]
    joint = "-" if found and found[0].group()[0].isalpha() else ""
    return [(*match.span(), re.sub(r"\s", joint, match.group())) for match in found]


def without_order_numbers(text: str) -> str:
    """Return the text without its order numbers."""
    for start, end, _ in reversed(placed_order_numbers(text)):
        text = text[:start] + text[end:]
    return " ".join(text.split())


def _is_year(digits: str) -> bool:
    return digits.startswith(("19", "20")) and len(digits) == 4


def _overlaps(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)


def without_numbers(text: str) -> str:
    """Return the text with spaces in place of order numbers that contain letters: WF-20440 is not a house number."""
    return _LETTERED.sub(lambda match: ";".ljust(len(match.group())), text)
