"""Finding the addresses in a sitemap, whether it is XML, text or compressed. Pure.

Addresses are found without an XML parser, so there is no parser to attack, and even broken files can be read.
"""

import html
import re
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import Final

MAX_BYTES: Final = 50_000_000  # unpacked; the limit of the sitemap protocol
MAX_ADDRESSES: Final = 50_000
MAX_PARTS: Final = 100  # sitemaps in an index
# Possessive quantifiers, so that endless spaces in a hostile file do not cause backtracking.
_LOCATION: Final = re.compile(
    r"<(?:\w++:)?loc>(?:([^<]{1,4000}+)|\s{0,100}+<!\[CDATA\[([^<\]]{1,4000}+)\]\]>\s{0,100}+)</(?:\w++:)?loc>"
)
_INDEX: Final = re.compile(r"<(?:\w+:)?sitemapindex[\s>]")
_PAGES: Final = re.compile(r"<(?:\w+:)?urlset[\s>]")


@dataclass(frozen=True, slots=True)
class Sitemap:
    pages: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # further sitemaps


def is_sitemap(url: str, content_type: str, body: bytes) -> bool:
    """Return whether a response is a sitemap rather than a page."""
    if "html" in content_type:
        return False
    begin = _text(body[:20_000])[:2_000]
    return bool(_INDEX.search(begin) or _PAGES.search(begin)) or (
        url.endswith(".txt") and begin.lstrip().startswith(("http://", "https://"))
    )


def parse_sitemap(body: bytes) -> Sitemap:
    text = _text(body)
    if not (_INDEX.search(text) or _PAGES.search(text)):
        lines = (line.strip() for line in text.splitlines())
        return Sitemap(tuple(line for line in lines if line.startswith(("http://", "https://")))[:MAX_ADDRESSES])
    locations = islice(_LOCATION.finditer(text), MAX_ADDRESSES)
    found = tuple(html.unescape((one[1] or one[2]).strip()) for one in locations)
    return Sitemap(parts=found[:MAX_PARTS]) if _INDEX.search(text) else Sitemap(pages=found)


def _text(body: bytes) -> str:
    if body[:2] == b"\x1f\x8b":
        unpacking = zlib.decompressobj(wbits=31)
        try:
            body = unpacking.decompress(body, MAX_BYTES)
        except zlib.error:
            return ""
    return body.decode(errors="replace")
