"""PDF and Word files, which a confined process turns into HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kb.documents import MAX_TITLE_CHARACTERS, Document
from kb.importing.confinement import ReaderEnded, facts_and_contents, notes_in_words
from kb.importing.loaders.html import markdown_of_html
from kb.importing.loaders.markdown import document_of
from kb.importing.pictures import PicturesTaken


def read_pdf(file: Path, name: str) -> Document:
    """Return the document of a PDF, with a mark where each page begins; its title comes from the metadata.

    Raises InvalidDocument.
    """
    try:
        facts, contents = facts_and_contents("pdf", file)
    except ReaderEnded:  # perhaps one of its pictures is to blame
        facts, contents = facts_and_contents("pdf_text", file)
    taken = _taken(contents, least_undescribed=1)  # few have a description, and decorations are left out already
    heading, body = markdown_of_html(facts["html"], taken)
    return taken.given_to(_document(facts, facts["title"] or heading, body, name))


def read_word(file: Path, name: str) -> Document:
    """Return the document of a .docx file; its title is its first heading, otherwise the metadata's title, because Word
    files often have the metadata of the file they were copied from. Raises InvalidDocument.
    """
    facts, contents = facts_and_contents("word", file)
    taken = _taken(contents)
    heading, body = markdown_of_html(facts["html"], taken)
    return taken.given_to(_document(facts, heading or facts["title"], body, name))


def _taken(contents: Sequence[bytes], *, least_undescribed: int = 0) -> PicturesTaken:
    named = {f"picture-{place}": content for place, content in enumerate(contents, start=1)}
    return PicturesTaken(named.get, least_undescribed=least_undescribed)


def _document(facts: Mapping[str, Any], title: str, body: str, name: str) -> Document:
    named = {"title": title[:MAX_TITLE_CHARACTERS].strip()} if title.strip() else {}
    return replace(document_of(named, body, name), notes=notes_in_words(facts["notes"]))
