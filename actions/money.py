"""Money: a Decimal with its currency, and the words for it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

# Decimal and DRF take other scripts' digits, "1_0", " 5 " and "1e2" for amounts; this takes ASCII digits alone.
AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_SIGNS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
USUAL_DECIMALS: Final = 2
# ISO 4217: the currencies whose smallest unit is not a hundredth.
_WITHOUT_DECIMALS: Final = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
)  # fmt: skip
_WITH_THREE: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DECIMALS: Final = {**dict.fromkeys(_WITHOUT_DECIMALS, 0), **dict.fromkeys(_WITH_THREE, 3)}


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain(self.amount, self.currency)} {self.currency}"


def amount_of(text: str) -> Decimal | None:
    """Return the amount that a text such as "12.5" states; None for anything else. A currency may allow less."""
    return Decimal(text) if AMOUNT.fullmatch(text) else None


def decimals_of(currency: str) -> int:
    """Return how many decimals the currency's smallest unit has: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(currency, USUAL_DECIMALS)


def is_amount_in(text: str, currency: str) -> bool:
    """Say whether a text states an amount that this currency has; "1.000" is none in EUR, where it may mean 1,000."""
    amount, decimals = amount_of(text), decimals_of(currency)
    if amount is None or len(text.partition(".")[2]) > max(decimals, USUAL_DECIMALS):
        return False
    return amount == amount.quantize(_unit(decimals))


def plain(amount: Decimal, currency: str) -> str:
    """Return an amount as the wire and the digest write it: "12.50" in EUR, "1250" in JPY, "12.500" in KWD."""
    return str(amount.quantize(_unit(decimals_of(currency))))


def _unit(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)


def spoken(money: Money, locale: str) -> str:
    """Return an amount for a reader, such as "€69.00" or "69,00 €"."""
    sign, figure = _SIGNS.get(money.currency), f"{money.amount:,.{decimals_of(money.currency)}f}"
    if locale.startswith("de"):
        return f"{figure.translate(str.maketrans(',.', '.,'))} {sign or money.currency}"
    return f"{sign}{figure}" if sign else f"{money.currency} {figure}"
