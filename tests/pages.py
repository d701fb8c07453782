"""What a person reads on a page: markup may break its lines anywhere, a browser shows each run of blanks as one."""

from selectolax.lexbor import LexborNode


def visible_text(node: LexborNode | None, separator: str = "") -> str:
    """Return the words of an element on one line, or nothing where the page has no such element."""
    return " ".join(node.text(separator=separator).split()) if node else ""
