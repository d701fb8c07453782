"""Changing an XML part of a Word file so that mammoth reads all of its text except hidden text. Pure.

mammoth skips unknown elements with all text in them.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from kb.importing.confined.word.formulas import M, formula_text

_MAIN: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
# Namespaces of "Strict Open XML", one of Word's file types, and the usual ones.
_STRICT: Final = (
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", _MAIN.encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", M.strip("{}").encode()),
)
_W: Final = f"{{{_MAIN}}}"
_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_OFF: Final = ("0", "false", "off")
# The values of fields, text with a set direction, and the text below readings (furigana).
_WRAPPERS: Final = (f"{M}oMathPara", *(f"{_W}{name}" for name in ("fldSimple", "bdo", "dir", "ruby", "rubyBase")))
_TOUCHED: Final = (
    b"anish", b"webHidden", b"fldSimple", b":bdo", b":dir", b":ruby", b"txbxContent", b"AlternateContent", b"oMath"
)  # fmt: skip


def readable(part: bytes) -> tuple[bytes, str]:
    """Return the part, changed so that mammoth reads all of its visible text, and its hidden text."""
    for strict, usual in _STRICT:
        part = part.replace(strict, usual)
    if not any(name in part for name in _TOUCHED):
        return part, ""
    root = ElementTree.fromstring(part)
    hidden = _without_hidden(root)
    for formula in list(root.iter(f"{M}oMath")):
        _write_out(formula)
    for parent in list(root.iter()):
        parent[:] = [shown for child in parent for shown in _shown(child)]
    for element in root.iter():
        if element.tag in _WRAPPERS:
            element.tag = f"{_W}smartTag"  # an element whose text mammoth reads
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True), hidden


def _without_hidden(root: Element) -> str:
    hidden = []
    for parent in list(root.iter()):
        for run in [child for child in parent if child.tag in (f"{_W}r", f"{M}r") and _is_hidden(child)]:
            hidden.append("".join(text.text or "" for text in run.iter() if text.tag in (f"{_W}t", f"{M}t")))
            parent.remove(run)
    return " ".join(hidden)


def _is_hidden(run: Element) -> bool:
    marks = [run.find(f"{_W}rPr/{_W}{name}") for name in ("vanish", "webHidden")]
    return any(mark is not None and mark.get(f"{_W}val", "1").lower() not in _OFF for mark in marks)


def _write_out(formula: Element) -> None:
    """Replace a formula with a run of text."""
    text = formula_text(formula)
    behind = formula.tail
    formula.clear()
    formula.tag, formula.tail = f"{_W}r", behind
    SubElement(formula, f"{_W}t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}).text = text


def _shown(element: Element) -> Iterator[Element]:
    """Yield the elements that replace an element: mammoth reads text boxes only in the older form or as a fallback."""
    if element.tag == f"{_MC}AlternateContent" and element.find(f"{_MC}Fallback") is None:
        for child in element.find(f"{_MC}Choice") or ():
            yield from _shown(child)
        return
    yield element
    boxes = list(_boxes(element)) if element.tag == f"{_W}drawing" else []
    if boxes:
        older = Element(f"{_W}pict")
        older.extend(boxes)
        yield older


def _boxes(element: Element) -> Iterator[Element]:
    """Yield the outermost text boxes in a drawing."""
    for child in element:
        if child.tag == f"{_W}txbxContent":
            yield child
        else:
            yield from _boxes(child)
