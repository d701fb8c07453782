"""Reading the documents of a file whose format is known. Every source uses `read`, for any file."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.confinement import ReaderEnded, facts_and_contents, notes_in_words
from kb.importing.loaders.csv_files import read_rows
from kb.importing.loaders.format_detection import Format, foreign_format, format_notes, unopened
from kb.importing.loaders.html import markdown_of_html, read_html
from kb.importing.loaders.jsonl import read_lines
from kb.importing.loaders.markdown import document_of, read_markdown, read_text
from kb.importing.loaders.page_encoding import declared_text
from kb.importing.parsed_document import Document, Failure
from kb.importing.pictures import Beside, PicturesTaken, with_pictures
from kb.validation import MAX_TITLE_CHARACTERS

# A body can have two million characters, so at most eight million bytes.
MAX_FILE_BYTES: Final = 8_000_000
# The site's name after the heading in a printed web page's title. A dash would also match a subtitle:
# "Returns – business customers".
_SITE_NAME: Final = re.compile(r"\s+\|\s+\S")


def read(
    file: Path, found: Format, name: str, origin: str, beside: Beside | None = None
) -> Iterator[Document | Failure]:
    """Yield the items of a file; `name` is the external id of an item that has none, `origin` is the location shown to
    people.

    `beside` reads the pictures that the text refers to by relative addresses; without it, they are left out. Raises
    InvalidDocument if the file cannot be read at all.
    """
    notes = format_notes(found, name)
    for item in _items(file, found, name, origin, beside):
        yield replace(item, notes=(*notes, *item.notes)) if isinstance(item, Document) and notes else item


def read_pdf(file: Path, name: str) -> Document:
    """Return the document of a PDF, with a mark where each page begins. Its title comes from the metadata, without what
    a printed web page's title adds to its heading: "Returns | Shop". Raises InvalidDocument.
    """
    try:
        facts, contents = facts_and_contents("pdf", file)
    except ReaderEnded:  # perhaps one of its pictures is to blame
        facts, contents = facts_and_contents("pdf_text", file)
    taken = _taken(contents, least_undescribed=1)  # few have descriptions, and decorations are already left out
    heading, body = markdown_of_html(facts["html"], taken)
    title = facts["title"]
    is_heading_and_site = bool(heading) and title.startswith(heading) and _SITE_NAME.match(title, len(heading))
    return taken.given_to(_document(facts, heading if is_heading_and_site else title or heading, body, name))


def read_word(file: Path, name: str) -> Document:
    """Return the document of a .docx file. Its title is its first heading, since Word files often have the metadata of
    the file that they were copied from; if there is no heading, it is the metadata's title. Raises InvalidDocument.
    """
    facts, contents = facts_and_contents("word", file)
    taken = _taken(contents)
    heading, body = markdown_of_html(facts["html"], taken)
    return taken.given_to(_document(facts, heading or facts["title"], body, name))


def _items(file: Path, found: Format, name: str, origin: str, beside: Beside | None) -> Iterator[Document | Failure]:
    match found:
        case Format.LINES:
            yield from read_lines(file, origin)
        case Format.PDF:
            yield read_pdf(file, name).at(origin)
        case Format.WORD:
            yield read_word(file, name).at(origin)
        case Format.ROWS:
            text, notes = _text_of(file, otherwise=_in_older_encoding)
            yield from read_rows(text, name, origin, notes)
        case _:
            text, notes = _text_of(file, otherwise=_OTHER_ENCODINGS.get(found))
            document = _READERS[found](text, name, beside).at(origin)
            yield replace(document, notes=(*notes, *document.notes))


def _markdown(text: str, name: str, beside: Beside | None) -> Document:
    document = read_markdown(text, name)
    return document if beside is None else with_pictures(document, beside)


def _plain(text: str, name: str, beside: Beside | None) -> Document:
    return read_text(text, name)


_READERS: Final[dict[Format, Callable[[str, str, Beside | None], Document]]] = {
    Format.MARKDOWN: _markdown,
    Format.HTML: read_html,
    Format.TEXT: _plain,
}


def _text_of(file: Path, *, otherwise: Callable[[bytes], str] | None) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, which must not be too large, and notes on it. `otherwise` decodes bytes that are not
    UTF-8, and returns "" if it cannot. Raises InvalidDocument.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidDocument(unopened(error)) from error
    if len(raw) > MAX_FILE_BYTES:
        most = MAX_FILE_BYTES // 1_000_000
        raise InvalidDocument(
            gettext("The file is larger than {most} MB. Split it into several articles.").format(most=most)
        )
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        if otherwise is not None and (text := otherwise(raw)):
            note = gettext("The file is not UTF-8, so it was read in an older encoding. Check accented letters.")
            return text, (note,)
        if b"\0" in raw and not raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise InvalidDocument(_binary(raw)) from error
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(
            gettext("The file is not UTF-8 text (line {line}). Save it with UTF-8 encoding.").format(line=line)
        ) from error


def _in_older_encoding(raw: bytes) -> str:
    """Return text in UTF-16 or the Western Windows encoding, which spreadsheets still write; "" for neither."""
    if raw.startswith(BOM_UTF8):
        return ""
    encoding = "utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "cp1252"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return ""
    return text if all(sign.isprintable() or sign in "\t\n\r\f\xa0\xad\u200b\u2028" for sign in text) else ""


# How files that are not UTF-8 are read. Web pages saved by Word and Windows declare their encoding; for plain text, it
# can only be guessed. Markdown and JSON Lines are written by people who can choose UTF-8.
_OTHER_ENCODINGS: Final[Mapping[Format, Callable[[bytes], str]]] = {
    Format.HTML: declared_text,
    Format.TEXT: _in_older_encoding,
}


def _binary(raw: bytes) -> str:
    return foreign_format(raw) or gettext(
        "The file is not text: it is an image, an archive or another binary format. Export it as Markdown."
    )


def _taken(contents: Sequence[bytes], *, least_undescribed: int = 0) -> PicturesTaken:
    named = {f"picture-{place}": content for place, content in enumerate(contents, start=1)}
    return PicturesTaken(named.get, least_undescribed=least_undescribed)


def _document(facts: Mapping[str, Any], title: str, body: str, name: str) -> Document:
    named = {"title": title[:MAX_TITLE_CHARACTERS].strip()} if title.strip() else {}
    return replace(document_of(named, body, name), notes=notes_in_words(facts["notes"]))
