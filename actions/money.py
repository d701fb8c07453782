"""Money: a Decimal with its currency, and the words for it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

# Decimal and DRF take other scripts' digits, "1_0", " 5 " and "1e2" for amounts; this takes ASCII digits alone.
AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?", re.ASCII)
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_SIGNS: Final = {"EUR": "€", "USD": "$", "GBP": "£"}
CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.currency}"


def amount_of(text: str) -> Decimal | None:
    """Return the amount that a text such as "12.5" states; None for anything else."""
    return Decimal(text) if AMOUNT.fullmatch(text) else None


def plain(amount: Decimal) -> str:
    """Return an amount as the wire and the digest write it, such as "12.50"."""
    return str(amount.quantize(CENT))


def spoken(money: Money, locale: str) -> str:
    """Return an amount for a reader, such as "€69.00" or "69,00 €"."""
    sign = _SIGNS.get(money.currency)
    if locale.startswith("de"):
        figure = f"{money.amount:,.2f}".translate(str.maketrans(",.", ".,"))
        return f"{figure} {sign or money.currency}"
    figure = f"{money.amount:,.2f}"
    return f"{sign}{figure}" if sign else f"{money.currency} {figure}"
