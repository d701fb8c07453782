"""The check that the tree of an HTML page can be built and walked: a few megabytes can contain a tree that takes hours.

Time grows with the square of the depth of some elements, since the parser goes through all open ones at each start
tag; and with the square of the number of a tag's attributes, since it compares each with those before.
"""

import signal
from typing import Any, BinaryIO, Final

from selectolax.lexbor import LexborHTMLParser

from kb.importing.confined.refusal import Refused

MAX_LEVELS: Final = 512  # the limit of browsers
# The beginning shows most deep pages: its tree takes less than a second, however deep it is.
BEGINNING_BYTES: Final = 100_000
# A page whose tags are 500 levels deep takes 0.15 s per megabyte, an ordinary one 0.03 s (2.5 GHz).
SECONDS_PER_MEGABYTE: Final = 1.0
# Ends the process when the time for a page's tree is over: no Python code runs while the parser is at work.
OUT_OF_TIME: Final = signal.SIGVTALRM


def check_page(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Check that a page's tree is shallow. Raises Refused if it is not. If its tree takes too long, the process is
    ended by `OUT_OF_TIME`.
    """
    page = source.read()
    for part in (page[:BEGINNING_BYTES], page):
        _check_levels(part)
    return {}, []


def _check_levels(page: bytes) -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 1 + SECONDS_PER_MEGABYTE * len(page) / 1_000_000)
    root = LexborHTMLParser(page).root
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    above: list[int] = []
    for node in root.traverse() if root is not None else ():
        parent = node.parent
        while above and (parent is None or above[-1] != parent.mem_id):
            above.pop()
        above.append(node.mem_id)
        if len(above) > MAX_LEVELS:
            raise Refused("page_levels", limit=MAX_LEVELS)
