"""The check that the tree of an HTML page can be walked: a few megabytes can contain a tree that takes hours."""

from typing import Any, BinaryIO, Final

from selectolax.lexbor import LexborHTMLParser

from kb.importing.confined.refusal import Refused

MAX_LEVELS: Final = 512  # the limit of browsers


def check_page(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Check that a page's tree is shallow. Raises Refused if it is not. If the check takes too long, the process's time
    limit ends it.
    """
    root = LexborHTMLParser(source.read()).root
    above: list[int] = []
    for node in root.traverse() if root is not None else ():
        parent = node.parent
        while above and (parent is None or above[-1] != parent.mem_id):
            above.pop()
        above.append(node.mem_id)
        if len(above) > MAX_LEVELS:
            raise Refused("damaged")
    return {}, []
