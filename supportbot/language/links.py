"""The addresses a text names, with a scheme or without one. Pure."""

import re
from typing import Final

from supportbot.language.normalise import undisguised
from supportbot.language.sentences import fenced_part

_ADDRESS: Final = re.compile(
    r"""
      \]\(\s*<?(?P<target>[^)\s>]*)                                   # the target of a Markdown link or picture
    | ^\s*\[[^\]\d][^\]]*\]:\s*(?P<reference>\S+)                     # ... and of one by reference
    | (?P<tag></?[a-z!][^\s>]*)                                      # HTML
    | (?P<url>\b[a-z][a-z0-9+.-]{1,20}:(?=[a-z0-9/+%(])[^\s)\]>]*|//[^\s)\]>]+)
    | (?P<mail>(?<![\w.+-])[\w.+-]+@[\w.-]+)
    | (?<![\w.])@(?P<handle>\w{3,})
    | (?P<host>(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:[:/?\#][^\s)\]>]*)?|\[[\da-f:]*:[\da-f:.]+\][^\s)\]>]*)
    | (?P<domain>(?<![\w.])(?:[\w-]+\.)+[^\W\d_]{2,24}\b(?:[:/?\#][^\s)\]>]*)?)
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# evil[.]com, evil(dot)com, evil dot com
_SPELT_DOT: Final = re.compile(
    r"\s*[\[({]\s*(?:\.|dot|punkt)\s*[\])}]\s*"
    r"|\s(?:dot|punkt)\s(?=(?:com|net|org|info|io|de|at|ch|eu|uk|ru|shop|store|app|xyz|top|site|online|example|test)\b)",
    re.IGNORECASE,
)
_DOT: Final = re.compile(r"(?<![^\W\d_])(?:dot|punkt)(?![^\W\d_])", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"</?[\w-]+>")
_SCHEME: Final = re.compile(r"^(?:https?:)?//(?:www\.)?|^www\.")


def links_in(text: str) -> set[str]:
    """Return the addresses a text names, comparable whether they bear "https://" or not."""
    code, words = fenced_part(text)  # "<name>" in a listing is what somebody is to fill in
    plain = _SPELT_DOT.sub(".", undisguised(f"{_PLACEHOLDER.sub(' ', code)}{words}"))
    return {comparable(match[match.lastgroup or 0]) for match in _ADDRESS.finditer(plain)}


def spells_a_dot(word: str) -> bool:
    """Return whether a word may be the dot of an address: "evil dot com", "evil(dot)com"."""
    return _DOT.search(word) is not None


def mail_addresses_in(text: str) -> set[str]:
    """Return the e-mail addresses a text names, as `links_in` gives them."""
    return {found for found in links_in(text) if "@" in found[1:]}


def comparable(address: str) -> str:
    """Return an address in the form `links_in` gives."""
    return _SCHEME.sub("", address.strip().lower()).rstrip(".,;:!?*_/\"'")
