"""Reads an amount of money that a message clearly states. Pure.

Amounts that could be misread do not count: figures with signs, percentages, figures in words, and "1.234 €".
"""

import re
from typing import Final

from supportbot.language.figure_vocabulary import units_of
from supportbot.language.figures import Figure, figures_in
from supportbot.language.words import words

_AMOUNT: Final = re.compile(
    r"[0-9]{1,9}(?:[.,][0-9]{1,2})?|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]{2}|(?:,[0-9]{3})+\.[0-9]{2})"
)
# A sign before the figure or before its currency ("-€5"), or a character that shows that the figure is only the end of
# another one: ".5", "1/5", "1_0".
_SIGNED: Final = re.compile(
    r"(?:[-−+]\s*|[-−+][€$£¥\u20a0-\u20cf]\s?|(?<!\w)[-−+][^\W\d_]{2,4}\s?|[^\s([\"'’„“”«»:;=~€$£¥])$"
)
_CURRENCY_SIGN: Final = re.compile(r"[$£¥฿\u20a0-\u20cf]")  # the last range is Unicode's currency signs
_MONEY_AROUND: Final = re.compile(r"[^\d.,\s]+|[.,]$")


def amount_in(text: str, *, is_asked: bool = False) -> tuple[str, bool]:
    """Return the amount of money in the format of the schema ("20.50"), and whether the text contains an ambiguous
    amount.
    """
    figures = _figures(text, is_asked=is_asked)
    shares = any(unit == "percent" for figure in figures_in(text) for unit, _ in figure.readings)
    if not figures:
        return "", shares or (is_asked and any(sign.isdigit() for sign in text)) or _names_money(text)
    figure = figures[-1]
    written = _MONEY_AROUND.sub("", text[figure.start : figure.end].strip()).strip()
    is_plain = (
        _AMOUNT.fullmatch(written) is not None
        and written.isascii()
        and len({value for _, value in figure.readings}) == 1
    )
    value = next(value for _, value in sorted(figure.readings))
    if not is_plain or _SIGNED.search(text[: figure.start]) or not value.strip("0."):
        return "", True
    whole, _, cents = value.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}" if cents else whole, False


def placed_amounts(text: str, *, is_asked: bool = False) -> list[tuple[int, int, str]]:
    """Return each figure that may be an amount as (start, end, value), according to the rules of `amount_in`."""
    return [(one.start, one.end, min(one.readings)[1]) for one in _figures(text, is_asked=is_asked)]


def _figures(text: str, *, is_asked: bool) -> list[Figure]:
    return [figure for figure in figures_in(text) if figure.kind in ("money", "count" if is_asked else "money")]


def _names_money(text: str) -> bool:
    """Return whether the text contains a currency without a readable figure, as in "€-5" and "EUR -5"."""
    return _CURRENCY_SIGN.search(text) is not None or any(
        len(unit) == 3 and unit.isupper() for word in words(text) for unit in units_of(word)
    )
