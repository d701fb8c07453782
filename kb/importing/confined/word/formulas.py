"""Converts the formulas of Word files to a line of text: fractions with a slash, raised and lowered parts after ^ and
_. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Final
from xml.etree.ElementTree import Element

M: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MOST_DEPTH: Final = 30  # nesting of parts


def formula_text(element: Element, depth: int = 0) -> str:
    """Return a formula, or a part of one, as text."""
    if element.tag == f"{M}t":
        return element.text or ""
    if depth > _MOST_DEPTH:
        return "".join(text.text or "" for text in element.iter(f"{M}t"))

    def part(name: str) -> str:
        return ", ".join(formula_text(found, depth + 1) for found in element.findall(f"{M}{name}"))

    known = _WRITTEN.get(element.tag.removeprefix(M))
    if known is not None:
        return known(element, part)
    return "".join(formula_text(child, depth + 1) for child in element)


_Part = Callable[[str], str]


def _whole(text: str) -> str:
    """Return a part in brackets, unless it is a name or a number, so that it stays together next to an operator."""
    return text if len(text) < 2 or text.replace(".", "").replace(",", "").isalnum() else f"({text})"


def _marked(sign: str, text: str) -> str:
    return f"{sign}{_whole(text)}" if text else ""


def _fraction(_: Element, part: _Part) -> str:
    return f"{_whole(part('num'))}/{_whole(part('den'))}"


def _scripts(_: Element, part: _Part) -> str:
    return f"{_whole(part('e'))}{_marked('_', part('sub'))}{_marked('^', part('sup'))}"


def _root(_: Element, part: _Part) -> str:
    return f"{part('deg')}√{_whole(part('e'))}"


def _sum(element: Element, part: _Part) -> str:
    sign = _set_sign(element, "naryPr/chr", "∫")
    return f"{sign}{_marked('_', part('sub'))}{_marked('^', part('sup'))} {part('e')}"


def _brackets(element: Element, part: _Part) -> str:
    return f"{_set_sign(element, 'dPr/begChr', '(')}{part('e')}{_set_sign(element, 'dPr/endChr', ')')}"


def _set_sign(element: Element, path: str, otherwise: str) -> str:
    found = element.find("/".join(f"{M}{name}" for name in path.split("/")))
    return otherwise if found is None else found.get(f"{M}val", otherwise)


_WRITTEN: Final[Mapping[str, Callable[[Element, _Part], str]]] = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "rad": _root,
    "nary": _sum,
    "d": _brackets,
}
