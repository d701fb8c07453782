"""Checks whether mail could be delivered to an e-mail address, judging by its format. Pure.

`supportbot.language.email_addresses` finds the addresses in a message.
"""

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

MAX_EMAIL_CHARACTERS: Final = 254
_is_address: Final = EmailValidator(allowlist=[])


def deliverable(addresses: Iterable[str]) -> list[str]:
    """Return the addresses whose format is valid for delivery."""
    return [address for address in addresses if is_deliverable(address)]


def is_deliverable(address: str) -> bool:
    try:
        _is_address(address)
        address.rpartition("@")[2].encode("idna")  # the mailer also encodes the domain, which can make a label too long
    except (ValidationError, UnicodeError):
        return False
    return len(address) <= MAX_EMAIL_CHARACTERS
