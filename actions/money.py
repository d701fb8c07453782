"""Money: a Decimal with its currency, and its formatting."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from supportbot.formats import format_currency

# Decimal and DRF accept digits of other scripts, "1_0", " 5 " and "1e2" as amounts; this accepts ASCII digits only.
AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
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
        return f"{format_amount(self.amount, self.currency)} {self.currency}"


def parse_amount(text: str) -> Decimal | None:
    """Return the amount in a string such as "12.5", or None for anything else. A currency may allow fewer decimals."""
    return Decimal(text) if AMOUNT.fullmatch(text) else None


def currency_decimals(currency: str) -> int:
    """Return the number of decimals of a currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DECIMALS.get(currency, USUAL_DECIMALS)


def is_amount_in(text: str, currency: str) -> bool:
    """Return whether a string is a valid amount in this currency; "1.000" is invalid in EUR, as it may mean 1,000."""
    amount, decimals = parse_amount(text), currency_decimals(currency)
    if amount is None or len(text.partition(".")[2]) > max(decimals, USUAL_DECIMALS):
        return False
    return amount == amount.quantize(_unit(decimals))


def format_amount(amount: Decimal, currency: str) -> str:
    """Return an amount as used on the wire and in digests: "12.50" in EUR, "1250" in JPY, "12.500" in KWD."""
    return str(amount.quantize(_unit(currency_decimals(currency))))


def _unit(decimals: int) -> Decimal:
    return Decimal(1).scaleb(-decimals)


def format_money(money: Money, locale: str) -> str:
    """Return money as people read it, such as "€69.00" or "69,00 €"."""
    return format_currency(money.amount, money.currency, currency_decimals(money.currency), locale)
