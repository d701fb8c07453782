"""PDF files as HTML, a section per page."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

from kb.importing.confined.pdf.canvas import PageText
from kb.importing.confined.pdf.errors import BROKEN
from kb.importing.confined.pdf.layout import Layout
from kb.importing.confined.pdf.lines import plain_text
from kb.importing.confined.pdf.page import text_of
from kb.importing.confined.pdf.picture_descriptions import Descriptions, descriptions_of
from kb.importing.confined.pdf.pictures import Pictures, pictures_of
from kb.importing.confined.refusal import Notes, Refused, shortened

MAX_PAGES: Final = 1_000
# An article can have two million characters, including marks and markup.
MAX_CHARACTERS: Final = 1_900_000
MAX_OUTLINE_DEPTH: Final = 6
_Find = Callable[[Sequence[PageText], Descriptions], Pictures]
_FILE_ENDINGS: Final = (
    ".pdf", ".doc", ".docx", ".odt", ".rtf", ".indd", ".qxd", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".odp", ".html",
    ".htm", ".txt", ".tex", ".dvi", ".eps", ".pages", ".png", ".jpg", ".jpeg",
)  # fmt: skip
# These are top-level domains, too: "Terms of Acme.ai" is a title, "terms.ai" a file.
_DOMAIN_ENDINGS: Final = (".md", ".ps", ".ai", ".pub", ".fm")
# When Office prints to a PDF file, it puts the program's name before the file name.
_PRINTED: Final = re.compile(r"Microsoft (?:Word|PowerPoint|Excel) - ")


def read_pdf(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return {title, html, notes, sizes} and the pictures of these sizes, named `picture-1` and so on.

    Raises Refused.
    """
    return _read(source, pictures_of)


def read_pdf_text(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Like `read_pdf`, but without pictures, which are only counted."""
    return _read(source, lambda pages, _: Pictures([], [], sum(len(page.drawings) for page in pages)))


def _read(source: BinaryIO, find: _Find) -> tuple[dict[str, Any], list[bytes]]:
    notes = Notes()
    reader = _opened(source)
    total = len(reader.pages)
    pages = _pages(reader, total, notes)
    hidden = shortened(" ".join(plain_text(page.hidden) for page in pages))
    if not any(page.runs for page in pages):
        if hidden:
            raise Refused("pdf_hidden", text=hidden)
        raise Refused("pdf_without_text" if any(page.pictures for page in pages) else "pdf_empty")
    silent = [page.number for page in pages if page.pictures and not page.runs]
    if silent:
        notes.add("pages_without_text", pages=_ranges(silent))
    has_marked = any(one.mark is not None for page in pages for one in page.drawings)
    pictures = find(pages, descriptions_of(reader) if has_marked else {})
    if left_out := pictures.left_out + sum(page.pictures - len(page.drawings) for page in pages):
        notes.add("pictures", number=left_out)
    if hidden:
        notes.add("hidden", text=hidden)
    if rotated := shortened(" ".join(dict.fromkeys(page.rotated for page in pages if page.rotated))):
        notes.add("rotated", text=rotated)
    html = Layout(pages, _outline(reader), pictures.placed).html()
    facts = {"title": _title(reader), "html": html, "notes": notes.as_json()}
    return {**facts, "sizes": [len(content) for content in pictures.contents]}, pictures.contents


def _opened(source: BinaryIO) -> PdfReader:
    try:
        reader = PdfReader(source)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("pdf_encrypted")
        len(reader.pages)
    except RecursionError as error:
        raise Refused("damaged", what="RecursionError") from error
    except PyPdfError as error:
        raise Refused("pdf_damaged") from error
    return reader


def _pages(reader: PdfReader, total: int, notes: Notes) -> list[PageText]:
    pages: list[PageText] = []
    broken: list[int] = []
    length = 0
    for number in range(1, min(total, MAX_PAGES) + 1):
        try:
            page = text_of(reader.pages[number - 1], number)
        except BROKEN:
            broken.append(number)  # this page's content is broken; the other pages are still read
            continue
        length += sum(len(run.text) for run in page.runs)
        length += sum(len(line.text) for box in page.sideways for row in box.rows for line in row)
        if length > MAX_CHARACTERS:
            break
        pages.append(page)
    read = len(pages) + len(broken)
    if read < total:
        notes.add("pages_cut", read=read, total=total)
    if broken:
        if not pages:
            raise Refused("pdf_damaged")
        notes.add("pages_broken", pages=_ranges(broken))
    return pages


def _title(reader: PdfReader) -> str:
    """Return the metadata's title, unless it is a file's name."""
    try:
        title = reader.metadata.title if reader.metadata else None
    except BROKEN:
        return ""
    words = " ".join(title.split()) if isinstance(title, str) else ""
    endings = _FILE_ENDINGS if " " in words else (*_FILE_ENDINGS, *_DOMAIN_ENDINGS)
    is_file_name = words.lower().endswith(endings) or _PRINTED.match(words)
    return "" if is_file_name else words[:300]


def _outline(reader: PdfReader) -> dict[tuple[int, str], int]:
    """Return the level of each entry of the outline by its page (from 1) and its text in lower case."""
    try:
        entries = list(_entries(reader.outline, 1))
        return {
            (page + 1, " ".join(entry.title.split()).casefold()): level
            for entry, level in entries
            if entry.title and (page := reader.get_destination_page_number(entry)) is not None
        }
    except BROKEN:
        return {}


def _entries(outline: Any, level: int) -> Iterator[tuple[Destination, int]]:
    for entry in outline:
        if isinstance(entry, list):
            if level < MAX_OUTLINE_DEPTH:
                yield from _entries(entry, level + 1)
        else:
            yield entry, level


def _ranges(numbers: list[int]) -> str:
    """Return "3-5, 9" for [3, 4, 5, 9]."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
