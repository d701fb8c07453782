"""Detecting the format of a file. The content decides; the name is only a hint."""

from enum import Enum
from pathlib import Path
from typing import Final

from django.utils.translation import gettext, gettext_noop

from kb.errors import InvalidDocument

MOST_SNIFFED: Final = 1_024  # bytes of a file to look at; a PDF's header may come this late


class Format(Enum):
    """A format; its value is the name that people see."""

    MARKDOWN = "Markdown"
    HTML = "HTML"
    TEXT = "text"
    LINES = "JSON Lines"
    ROWS = "CSV"
    PDF = "PDF"
    WORD = "Word (.docx)"
    ZIP = "zip"


_BY_ENDING: Final = {
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".txt": Format.TEXT,
    ".csv": Format.ROWS,
    ".tsv": Format.ROWS,
    ".pdf": Format.PDF,
    ".docx": Format.WORD,
    ".zip": Format.ZIP,
    ".jsonl": Format.LINES,
    ".jsonl.gz": Format.LINES,
    ".ndjson": Format.LINES,
    ".ndjson.gz": Format.LINES,
}
KNOWN_ENDINGS: Final = tuple(_BY_ENDING)
_OFFICE_PARTS: Final = (b"[Content_Types].xml", b"_rels", b"docProps", b"customXml", b"word", b"xl", b"ppt")
_PICTURE: Final = gettext_noop("The file is a picture, not text. Describe in text what it shows.")
_PROGRAM: Final = gettext_noop("The file is a program, not text. Leave it out.")
_OLD_OFFICE: Final = gettext_noop(
    "The file is password-protected or in an old Office format. Save it as .docx or PDF without a password."
)
_FOREIGN: Final = (
    (b"\xd0\xcf\x11\xe0", _OLD_OFFICE),
    (b"{\\rtf", gettext_noop("The file is an RTF document. Save it as .docx or PDF.")),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"MZ", _PROGRAM),
    (b"\x7fELF", _PROGRAM),
)


def format_of(file: Path, name: str) -> Format:
    """Return the format of a file called `name`. Raises InvalidDocument if it is empty or cannot be read."""
    named = next((_BY_ENDING[ending] for ending in KNOWN_ENDINGS if name.lower().endswith(ending)), None)
    begin = _begin(file)
    if not begin:
        raise InvalidDocument(gettext("The file is empty. Copy it again, or leave it out."))
    found = _by_content(begin)
    if found is Format.ZIP and named is Format.WORD:
        return Format.WORD
    if found is not None:
        return found
    if begin.startswith(b"PK") or named in (Format.PDF, Format.WORD, Format.ZIP):
        raise InvalidDocument(_not_what_it_says(begin, named))
    if named is None:
        raise InvalidDocument(
            gettext("Files of this kind cannot be read. Use one of these formats: {endings}.").format(
                endings=", ".join(KNOWN_ENDINGS)
            )
        )
    return named


def _begin(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_SNIFFED)
    except OSError as error:
        raise InvalidDocument(unopened(error)) from error


def _by_content(begin: bytes) -> Format | None:
    if begin.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # checked first: it may contain a PDF or Word file
        has_parts = b"word/" in begin or b"[Content_Types].xml" in begin
        return Format.WORD if has_parts and _first_in_zip(begin) in _OFFICE_PARTS else Format.ZIP
    return Format.PDF if b"%PDF-" in begin else None


def _first_in_zip(begin: bytes) -> bytes:
    """Return the first part of the path of a zip file's first entry."""
    name_begin = 30
    return begin[name_begin : name_begin + int.from_bytes(begin[26:28], "little")].split(b"/")[0]


def format_notes(found: Format, name: str) -> tuple[str, ...]:
    """Return a note that a file is not what its name says."""
    if any(name.lower().endswith(ending) for ending, one in _BY_ENDING.items() if one is found):
        return ()
    text = gettext("Despite its name, the file is {format} and was read as such.")
    return (text.format(format=found.value),)


def _not_what_it_says(begin: bytes, named: Format | None) -> str:
    if what := foreign_format(begin):
        return what
    if named is None or named is Format.ZIP:
        return gettext("The file is not a zip file, or is damaged. Zip it again.")
    return gettext("The file is not {format}, although its name says so. Export it again, or correct its name.").format(
        format=named.value
    )


def foreign_format(begin: bytes) -> str:
    """Return which unsupported format a file has and what to do; "" for any other file."""
    return next((gettext(text) for sign, text in _FOREIGN if begin.startswith(sign)), "")


def unopened(error: OSError) -> str:
    return gettext("The file cannot be opened ({strerror}). Check its permissions.").format(strerror=error.strerror)
