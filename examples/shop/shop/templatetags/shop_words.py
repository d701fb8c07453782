"""Amounts and times formatted for the reader."""

from django import template
from django.utils.translation import get_language

from shop.models import Currency
from shop.money import to_text

register = template.Library()
_SIGNS = {Currency.EUR.value: "€", Currency.CHF.value: "CHF\u00a0"}


@register.filter
def money(cents: int, currency: str = Currency.EUR.value) -> str:
    """Return "€389.00" in English, "389,00 €" in German."""
    sign, amount = _SIGNS[currency], to_text(cents)
    return f"{amount.replace('.', ',')}\u00a0{sign.strip()}" if get_language() == "de" else f"{sign}{amount}"


@register.filter
def whole_money(cents: int) -> str:
    """Return an amount as on a price tag: without the cents if they are zero."""
    return money(cents).replace(".00", "").replace(",00", "")


@register.filter
def place(address: dict[str, str]) -> str:
    """Return an address on one line."""
    parts = (address["line1"], address["line2"], f"{address['postal_code']} {address['city']}")
    return ", ".join(part for part in parts if part)
