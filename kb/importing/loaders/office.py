"""PDF and Word files, which a confined process turns into HTML."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kb.documents import MAX_TITLE_CHARACTERS, Document
from kb.importing.confinement import facts_and_contents, facts_of, notes_in_words
from kb.importing.loaders.html import markdown_of_html
from kb.importing.loaders.markdown import document_of
from kb.importing.pictures import PicturesTaken


def read_pdf(file: Path, name: str) -> Document:
    """Return the document of a PDF, with a mark where each page begins; its title comes from the metadata.

    Raises InvalidDocument.
    """
    facts = facts_of("pdf", file)
    heading, body = markdown_of_html(facts["html"])
    return _document(facts, facts["title"] or heading, body, name)


def read_word(file: Path, name: str) -> Document:
    """Return the document of a .docx file; its title is its first heading, otherwise the metadata's title, because Word
    files often have the metadata of the file they were copied from. Raises InvalidDocument.
    """
    facts, contents = facts_and_contents("word", file)
    named = {f"picture-{place}": content for place, content in enumerate(contents, start=1)}
    taken = PicturesTaken(named.get)
    heading, body = markdown_of_html(facts["html"], taken)
    return taken.given_to(_document(facts, heading or facts["title"], body, name))


def _document(facts: Mapping[str, Any], title: str, body: str, name: str) -> Document:
    named = {"title": title[:MAX_TITLE_CHARACTERS].strip()} if title.strip() else {}
    return replace(document_of(named, body, name), notes=notes_in_words(facts["notes"]))
