"""The descriptions of a PDF's pictures, for people who cannot see them: `/Alt` in the structure tree or in the marked
content of a page.
"""

import time
from typing import Any, Final

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from kb.importing.confined.pdf.errors import BROKEN
from kb.importing.confined.refusal import shortened

MAX_ELEMENTS: Final = 100_000
CPU_SECONDS: Final = 30  # CPU time of the process after which this stops: the text is more important

# Descriptions by the numbers of the page and the marked content.
Descriptions = dict[tuple[int, int], str]
_Waiting = list[tuple[Any, int, str]]  # an element, its page, and the description of its parent


def descriptions_of(reader: PdfReader) -> Descriptions:
    """Return the descriptions of marked content in the structure tree; broken parts are skipped."""
    found: Descriptions = {}
    try:
        numbers = {
            page.indirect_reference.idnum: number
            for number, page in enumerate(reader.pages, start=1)
            if page.indirect_reference
        }
        root = reader.root_object.get("/StructTreeRoot")
        waiting: _Waiting = [(root.get_object()["/K"], 0, "")] if root is not None else []
    except BROKEN:
        return found
    seen = set[int]()
    while waiting and len(seen) < MAX_ELEMENTS and time.process_time() < CPU_SECONDS:
        element, page, description = waiting.pop()
        try:
            if isinstance(element, IndirectObject):
                if element.idnum in seen:
                    continue
                seen.add(element.idnum)
                element = element.get_object()
            _read(element, page, description, numbers, waiting, found)
        except BROKEN:
            continue
    return found


def description_in(properties: Any) -> str:
    """Return the description in a dictionary, on one line."""
    text = properties.get("/Alt")
    return shortened(str(text.get_object())) if text is not None else ""


def _read(
    element: Any, page: int, description: str, numbers: dict[int, int], waiting: _Waiting, found: Descriptions
) -> None:
    """Store the description of marked content, or add an element's children to the waiting elements."""
    if isinstance(element, ArrayObject):
        waiting += [(part, page, description) for part in element]
    elif isinstance(element, int):
        if description and page:
            found[page, element] = description
    elif isinstance(element, DictionaryObject):
        if "/Pg" in element:
            page = numbers.get(element.raw_get("/Pg").idnum, 0)
        # Marked content in a form has the form's own numbers, which mean nothing on the page.
        if "/MCID" in element and "/Stm" not in element:
            waiting.append((element.raw_get("/MCID"), page, description))
        elif "/K" in element:
            waiting.append((element.raw_get("/K"), page, description_in(element) or description))
