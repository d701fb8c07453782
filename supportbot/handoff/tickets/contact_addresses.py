"""E-mail addresses that customers give in a message. Pure.

An address counts only if the message contains little else or says that the address is the customer's own. Otherwise,
mail could go to a stranger whom the customer only mentioned.
"""

import re
from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

MAX_EMAIL_CHARACTERS: Final = 254
_SEPARATORS: Final = r"\s<>()\[\],;:\""
_ADDRESS: Final = re.compile(rf"(?<![^{_SEPARATORS}])(?P<address>[^{_SEPARATORS}@]{{1,400}}@[^{_SEPARATORS}]{{1,255}})")
_SURROUNDING: Final = ".!?…/*_`'’‘“”„"
_OWN: Final = re.compile(
    r"\b(?:my|mine|me|here is|use|mein\w*|mich|mir|hier ist|nehmen sie)\b", re.IGNORECASE
)  # "My address is", "write to me at"
# "My daughter anna@example.com" must not receive mail: if nobody asked, the text has to say whose address it is.
_VOLUNTEERED: Final = re.compile(
    r"\b(?:my (?:e-?mail|mail|address)\w*|(?:write|reply|answer|mail|e-?mail|reach|contact)(?: to)? me"
    r"|mein\w* (?:e-?mail|mail|adresse)\w*|(?:schreib|antwort|mail)\w*(?: sie)? mir|erreich\w*(?: sie)? mich"
    r"|mich erreich\w*|erreichbar)\b[^.!?\n@]{0,25}$",
    re.IGNORECASE,
)
# "Not old@example.com", "instead of the old one old@example.com".
_NEGATED: Final = re.compile(
    r"\b(?:not|nicht|instead of|statt|anstatt)\s+(?:(?:the|to|my|old|mehr|an|alte\w*)\s+){0,3}$", re.I
)
_CONTEXT_CHARACTERS: Final = 80  # the text before an address, which may say whose it is
_MAX_OTHER_WORDS: Final = 3  # the maximum number of other words, as in "It is ..., thanks."
_is_address: Final = EmailValidator(allowlist=[])


def own_addresses_in(text: str) -> list[str]:
    """Return the addresses that the customer means as their own, each once, even if undeliverable."""
    is_own = _is_mostly_address(text) or _OWN.search(_without_addresses(text))
    return addresses_in(text) if is_own else []


def volunteered_addresses_in(text: str) -> list[str]:
    """Return the customer's own addresses if nobody asked for one; the text must then say more clearly whose they
    are.
    """
    is_volunteered = any(_VOLUNTEERED.search(_before(match)) for match in _ADDRESS.finditer(text))
    return addresses_in(text) if is_volunteered or _is_mostly_address(text) else []


def addresses_in(text: str) -> list[str]:
    """Return everything that looks like an e-mail address, each once, except addresses the text rules out."""
    matches = [match for match in _ADDRESS.finditer(text) if not _NEGATED.search(_before(match))]
    return list(dict.fromkeys(match["address"].strip(_SURROUNDING) for match in matches))


def _before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - _CONTEXT_CHARACTERS, 0) : match.start()]


def _is_mostly_address(text: str) -> bool:
    return len(re.findall(r"\w+", _without_addresses(text))) <= _MAX_OTHER_WORDS


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub(" ", text)


def deliverable(addresses: Iterable[str]) -> list[str]:
    """Return the addresses whose format allows delivery."""
    return [address for address in addresses if is_deliverable(address)]


def is_deliverable(address: str) -> bool:
    try:
        _is_address(address)
        address.rpartition("@")[2].encode("idna")  # the mailer also encodes the domain, which can make a label too long
    except (ValidationError, UnicodeError):
        return False
    return len(address) <= MAX_EMAIL_CHARACTERS
