"""The visible text of a page, with each run of blanks as one, as in a browser."""

from selectolax.lexbor import LexborNode


def visible_text(node: LexborNode | None, separator: str = "") -> str:
    """Return the words of an element on one line; "" if the page has no such element."""
    return " ".join(node.text(separator=separator).split()) if node else ""
