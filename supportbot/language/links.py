"""The web and mail addresses in text, with or without a scheme. Pure."""

import re
from typing import Final

from supportbot.language.normalise import fold_homoglyphs
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
# such as evil[.]com, evil(dot)com, evil dot com
_SPELT_DOT: Final = re.compile(
    r"\s*[\[({]\s*(?:\.|dot|punkt)\s*[\])}]\s*"
    r"|\s(?:dot|punkt)\s(?=(?:com|net|org|info|io|de|at|ch|eu|uk|ru|shop|store|app|xyz|top|site|online|example|test)\b)",
    re.IGNORECASE,
)
_DOT: Final = re.compile(r"(?<![^\W\d_])(?:dot|punkt)(?![^\W\d_])", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"</?[\w-]+>")
_MARKDOWN_LINK: Final = re.compile(r"\](?=[(\[:])")
_SCHEME: Final = re.compile(r"^(?:https?:)?//(?:www\.)?|^www\.")
# Every address contains one of these signs or a word for a full stop. A full stop at its end is not part of it.
_SIGN: Final = re.compile(r"[\[({<:/@.]")
_WORDS_FOR_A_DOT: Final = ("dot", "punkt")


def links_in(text: str) -> set[str]:
    """Return the addresses in the text, normalised so that "https://" makes no difference."""
    code, words = fenced_part(text)  # in code, "<name>" is a placeholder
    plain = fold_homoglyphs(f"{_PLACEHOLDER.sub(' ', code)}{words}")
    if not _may_contain_address(plain):
        return set()
    plain = _SPELT_DOT.sub(".", plain)
    return {comparable(match[match.lastgroup or 0]) for match in _ADDRESS.finditer(plain)}


def _may_contain_address(plain: str) -> bool:
    """Return whether a text may contain an address. Ruling out most sentences in this way takes a tenth of the time of
    searching them.
    """
    small = plain.lower()
    return _SIGN.search(plain.rstrip(".\n ")) is not None or any(word in small for word in _WORDS_FOR_A_DOT)


def undisguised(text: str) -> str:
    """Return the text with each Markdown link changed so that its address is visible after its label.

    This is for texts in records, which anyone may have written.
    """
    return _MARKDOWN_LINK.sub("] ", text)


def spells_a_dot(word: str) -> bool:
    """Return whether a word may spell the dot of an address: "evil dot com", "evil(dot)com"."""
    return _DOT.search(word) is not None


def mail_addresses_in(text: str) -> set[str]:
    """Return the e-mail addresses in the text, in the form of `links_in`."""
    return {found for found in links_in(text) if "@" in found[1:]}


def comparable(address: str) -> str:
    """Return an address in the form of `links_in`."""
    return _SCHEME.sub("", address.strip().lower()).rstrip(".,;:!?*_/\"'")
