"""The addresses a text names, with a scheme or without one. Pure."""

import re
from typing import Final

from supportbot.language.normalise import undisguised

_ADDRESS: Final = re.compile(
    r"""
      \]\(\s*<?(?P<target>[^)\s>]*)                                   # the target of a Markdown link or picture
    | ^\s*\[[^\]\d][^\]]*\]:\s*(?P<reference>\S+)                     # ... and of one by reference
    | (?P<tag></?[a-z!][^\s>]*)                                      # HTML
    | (?P<url>\b[a-z][a-z0-9+.-]{1,20}:(?=[a-z0-9/+%(])[^\s)\]>]*|//[^\s)\]>]+)
    | (?P<mail>[\w.+-]+@[\w.-]+)
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
_SCHEME: Final = re.compile(r"^(?:https?:)?//(?:www\.)?|^www\.")


def links_in(text: str) -> set[str]:
    """Return the addresses a text names, comparable whether they bear "https://" or not."""
    plain = _SPELT_DOT.sub(".", undisguised(text))
    return {comparable(match[match.lastgroup or 0]) for match in _ADDRESS.finditer(plain)}


def comparable(address: str) -> str:
    """Return an address in the form `links_in` gives."""
    return _SCHEME.sub("", address.strip().lower()).rstrip(".,;:!?*_/\"'")
