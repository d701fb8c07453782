"""Page marks: where each page of a file begins in the Markdown made from it. Pure.

A mark is a picture without a description whose address points to a page, as in RFC 8118. Renderers and the search leave
it out, and it survives edits, export and import.
"""

import re
from bisect import bisect_right
from typing import Final

_MARK: Final = re.compile(r"^!\[\]\(#page=(\d{1,4})\)$", re.MULTILINE)


def page_mark(number: int) -> str:
    return f"![](#page={number})"


def is_page_mark(text: str) -> bool:
    return _MARK.fullmatch(text) is not None


class Pages:
    """Where the pages of a file begin in the body made from it."""

    def __init__(self, body: str) -> None:
        marks = list(_MARK.finditer(body))
        self._begins = [mark.start() for mark in marks]
        self._numbers = [int(mark.group(1)) for mark in marks]

    def at(self, offset: int) -> int | None:
        """Return the page of the text at `offset`; None if the body has no page marks. A title above the first mark
        belongs to the page of that mark.
        """
        place = bisect_right(self._begins, offset)
        return self._numbers[max(place - 1, 0)] if self._numbers else None


def page_within(text: str, offset: int, page: int | None) -> int | None:
    """Return the page of the text at `offset` in a part of a body; the part begins on `page`."""
    for mark in _MARK.finditer(text, 0, offset):
        page = int(mark.group(1))
    return page
