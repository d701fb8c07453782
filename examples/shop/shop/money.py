"""Amounts of money: strings such as "12.50" in JSON, whole cents in the database, never floats. SQLite has no decimal
column (Django stores it as a float there), so amounts are stored as integers of the smallest unit.
"""

import re
from decimal import Decimal

_AMOUNT = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?")


def to_cents(text: str) -> int | None:
    """Return the whole cents of "12", "12.5" or "12.50"; None for anything else (signs, exponents, a third decimal)."""
    if not _AMOUNT.fullmatch(text):
        return None
    return int(Decimal(text) * 100)


def to_text(cents: int) -> str:
    """Return cents as text with two decimals."""
    return str(Decimal(cents).scaleb(-2).quantize(Decimal("0.01")))
