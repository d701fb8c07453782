"""The frame that the pages of a site share around their own text, as learnt from some of these pages: lines that most
of them have, and the name at the end of their titles. Only lines before or after a page's own text are removed, since a
heading such as "Steps" may well be on every page. Pure.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from supportbot.language.plain_text import plain

ENOUGH_PAGES: Final = 4
SHARE: Final = 0.75
SHORT: Final = 80  # characters; a longer unique line is text
MOST_OWN_LINES: Final = 2  # unique lines between lines of the frame, such as a date or an author's name
MOST_BEFORE_TITLE: Final = 300  # unique characters that may come before a page's title
_ONLY_LINK: Final = re.compile(r"(?:[-*]|\d+\.)?\s*\[[^\]]*\]\([^)]*\)[\s.|·›»/]*")
_SEPARATOR: Final = re.compile(r"\s+[-–—]\s+|\s*[|·:»›]\s*")


@dataclass(frozen=True, slots=True)
class Frame:
    lines: frozenset[str] = frozenset()  # hashes
    site_name: str = ""  # with the separator before it

    def has(self, line: str) -> bool:
        return _hash(line) in self.lines

    def without_site_name(self, title: str) -> str:
        return title.removesuffix(self.site_name).strip() or title if self.site_name else title

    def without(self, markdown: str, title: str) -> str:
        """Return a page's Markdown without the frame before and after its text."""
        lines = markdown.split("\n")
        begin = self._begin(lines, title)
        kept = lines[begin : self._end(lines, begin)]
        # The title is stored separately: repeated in the text, it would count twice in a search.
        if len(kept) > 1 and kept[0].startswith("# ") and _words(kept[0]) == _words(title):
            kept = kept[1:]
        text = "\n".join(kept).strip("\n")
        return f"{text}\n" if text.strip() else markdown

    def _begin(self, lines: Sequence[str], title: str) -> int:
        own = 0
        for place, line in enumerate(lines):
            if line.startswith("# ") and _words(line) == _words(title):
                return place
            own += len(_words(line)) if line.strip() and not self.has(line) else 0
            if own > MOST_BEFORE_TITLE:
                break
        return self._cut(lines)

    def _end(self, lines: Sequence[str], begin: int) -> int:
        return len(lines) - self._cut(lines[:begin:-1]) if len(lines) > begin + 1 else len(lines)

    def _cut(self, lines: Sequence[str]) -> int:
        """Return how many lines at the beginning belong to the frame."""
        cut = own = 0
        for place, line in enumerate(lines):
            if not _words(line):
                continue
            if self.has(line):
                cut, own = place + 1, 0
                continue
            own += 0 if _ONLY_LINK.fullmatch(line.strip()) else 1
            if own > MOST_OWN_LINES or len(_words(line)) > SHORT:
                break
        return cut

    def as_json(self) -> dict[str, Any]:
        return {"lines": sorted(self.lines), "site_name": self.site_name}


def frame_of_json(stored: Any) -> Frame:
    if not isinstance(stored, dict):
        return Frame()
    return Frame(frozenset(stored.get("lines", ())), str(stored.get("site_name", "")))


def learnt(pages: Sequence[tuple[str, str]]) -> Frame:
    """Return the frame of some pages, given as (title, Markdown); an empty frame if there are too few."""
    if len(pages) < ENOUGH_PAGES:
        return Frame()
    least = math.ceil(SHARE * len(pages))
    counted = Counter(_hash(line) for _, body in pages for line in {one for one in body.split("\n") if _words(one)})
    return Frame(frozenset(line for line, count in counted.items() if count >= least), _site_name(pages))


def _site_name(pages: Sequence[tuple[str, str]]) -> str:
    """Return the ending that all titles share, including the separator before it."""
    titles = [title for title, _ in pages if title]
    if len(set(titles)) < ENOUGH_PAGES - 1:
        return ""
    first, last = min(ends := [title[::-1] for title in titles]), max(ends)
    common = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))[::-1]
    found = _SEPARATOR.search(common)
    return common[found.start() :] if found and found.end() < len(common) else ""


def _words(line: str) -> str:
    return " ".join(plain(line).lower().split()).strip("#>-*| ")


def _hash(line: str) -> str:
    return hashlib.blake2b(_words(line).encode(), digest_size=8).hexdigest()
