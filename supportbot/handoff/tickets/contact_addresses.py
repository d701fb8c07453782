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
_APART: Final = r"\s<>()\[\],;:\""
_LIKE_AN_ADDRESS: Final = re.compile(rf"(?<![^{_APART}])(?P<address>[^{_APART}@]{{1,400}}@[^{_APART}]{{1,255}})")
_AROUND: Final = ".!?…/*_`'’‘“”„"
_OWN: Final = re.compile(
    r"\b(?:my|mine|me|here is|use|mein\w*|mich|mir|hier ist|nehmen sie)\b", re.IGNORECASE
)  # "My address is", "write to me at"
# "My daughter anna@example.com" is nobody's to write to: unasked, it has to be said whose address it is.
_OFFERED: Final = re.compile(
    r"\b(?:my (?:e-?mail|mail|address)\w*|(?:write|reply|answer|mail|e-?mail|reach|contact)(?: to)? me"
    r"|mein\w* (?:e-?mail|mail|adresse)\w*|(?:schreib|antwort|mail)\w*(?: sie)? mir|erreich\w*(?: sie)? mich"
    r"|mich erreich\w*|erreichbar)\b[^.!?\n@]{0,25}$",
    re.IGNORECASE,
)
# "Not old@example.com", "instead of the old one old@example.com": what it is not.
_DENIED: Final = re.compile(
    r"\b(?:not|nicht|instead of|statt|anstatt)\s+(?:(?:the|to|my|old|mehr|an|alte\w*)\s+){0,3}$", re.I
)
_NEAR: Final = 80  # characters before an address that say whose it is
_FEW_WORDS: Final = 3  # beside the address: "It is ..., thanks."
_is_address: Final = EmailValidator(allowlist=[])


def addresses_left_in(text: str) -> list[str]:
    """Return what is meant as the customer's own address, each once, be it one that can be written to or not."""
    return addresses_in(text) if _leaves_one(text) else []


def addresses_offered_in(text: str) -> list[str]:
    """Return the same of a text by somebody who was not asked for an address yet; it has to say so more plainly."""
    is_offered = any(_OFFERED.search(_before(match)) for match in _LIKE_AN_ADDRESS.finditer(text))
    return addresses_in(text) if is_offered or _is_little_more(text) else []


def addresses_in(text: str) -> list[str]:
    """Return what looks like an e-mail address in a text, each once, but for those it says it is not."""
    matches = [match for match in _LIKE_AN_ADDRESS.finditer(text) if not _DENIED.search(_before(match))]
    return list(dict.fromkeys(match["address"].strip(_AROUND) for match in matches))


def _before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - _NEAR, 0) : match.start()]


def _leaves_one(text: str) -> bool:
    return _is_little_more(text) or _OWN.search(_beside(text)) is not None


def _is_little_more(text: str) -> bool:
    return len(re.findall(r"\w+", _beside(text))) <= _FEW_WORDS


def _beside(text: str) -> str:
    return _LIKE_AN_ADDRESS.sub(" ", text)


def usable(addresses: Iterable[str]) -> list[str]:
    """Return those that mail may go to, as far as their form says."""
    return [address for address in addresses if can_be_written_to(address)]


def can_be_written_to(address: str) -> bool:
    try:
        _is_address(address)
        address.rpartition("@")[2].encode("idna")  # as the mailer will: a label may be too long in that spelling
    except (ValidationError, UnicodeError):
        return False
    return len(address) <= MAX_EMAIL_CHARACTERS
