"""The e-mail address that a customer's text leaves. Pure.

Only a message that is little more than an address, or says that it is theirs, leaves one: mail to whoever is mentioned
would carry a customer's answer to a stranger.
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
# "My daughter anna@example.com" is nobody's to write to: unasked, it has to be said whose address it is.
_VOLUNTEERED: Final = re.compile(
    r"\b(?:my (?:e-?mail|mail|address)\w*|(?:write|reply|answer|mail|e-?mail|reach|contact)(?: to)? me"
    r"|mein\w* (?:e-?mail|mail|adresse)\w*|(?:schreib|antwort|mail)\w*(?: sie)? mir|erreich\w*(?: sie)? mich"
    r"|mich erreich\w*|erreichbar)\b[^.!?\n@]{0,25}$",
    re.IGNORECASE,
)
# "Not old@example.com", "instead of the old one old@example.com": what it is not.
_NEGATED: Final = re.compile(
    r"\b(?:not|nicht|instead of|statt|anstatt)\s+(?:(?:the|to|my|old|mehr|an|alte\w*)\s+){0,3}$", re.I
)
_CONTEXT_CHARACTERS: Final = 80  # characters before an address that say whose it is
_MAX_OTHER_WORDS: Final = 3  # beside the address: "It is ..., thanks."
_is_address: Final = EmailValidator(allowlist=[])


def own_addresses_in(text: str) -> list[str]:
    """Return what is meant as the customer's own address, each once, be it one that can be written to or not."""
    return addresses_in(text) if _names_own(text) else []


def volunteered_addresses_in(text: str) -> list[str]:
    """Return the same of a text by somebody who was not asked for an address yet; it has to say so more plainly."""
    is_offered = any(_VOLUNTEERED.search(_before(match)) for match in _ADDRESS.finditer(text))
    return addresses_in(text) if is_offered or _is_mostly_address(text) else []


def addresses_in(text: str) -> list[str]:
    """Return what looks like an e-mail address in a text, each once, but for those it says it is not."""
    matches = [match for match in _ADDRESS.finditer(text) if not _NEGATED.search(_before(match))]
    return list(dict.fromkeys(match["address"].strip(_SURROUNDING) for match in matches))


def _before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - _CONTEXT_CHARACTERS, 0) : match.start()]


def _names_own(text: str) -> bool:
    return _is_mostly_address(text) or _OWN.search(_without_addresses(text)) is not None


def _is_mostly_address(text: str) -> bool:
    return len(re.findall(r"\w+", _without_addresses(text))) <= _MAX_OTHER_WORDS


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub(" ", text)


def deliverable(addresses: Iterable[str]) -> list[str]:
    """Return those that mail may go to, as far as their form says."""
    return [address for address in addresses if is_deliverable(address)]


def is_deliverable(address: str) -> bool:
    try:
        _is_address(address)
        address.rpartition("@")[2].encode("idna")  # as the mailer will: a label may be too long in that spelling
    except (ValidationError, UnicodeError):
        return False
    return len(address) <= MAX_EMAIL_CHARACTERS
