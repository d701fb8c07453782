"""Word files (.docx) as HTML: headings, lists, tables, notes; with pictures and without hidden text.

mammoth is given a copy with only the XML parts and pictures: no document types, no hidden runs, and no elements whose
text it would skip; numbers of headings are written out.
"""

import io
import re
import xml.etree.ElementTree as ElementTree
from typing import Any, BinaryIO, Final
from zipfile import ZipFile

import mammoth

from kb.importing.confined.archive import open_archive, read_entry
from kb.importing.confined.refusal import Notes, Refused, shortened
from kb.importing.confined.word.numbering import with_numbers
from kb.importing.confined.word.preprocessing import readable

_PARTS: Final = (".xml", ".rels")
_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_REFERENCE: Final = re.compile(r'<sup><a href="#(?:foot|end)note-\d+" id="[^"]*">\[(\d+)\]</a></sup>')
_RETURN: Final = re.compile(r'\s*<a href="#(?:foot|end)note-ref-\d+">[^<]*</a>')
_BOLD_LINE: Final = re.compile(r"<p><strong>([^<]{1,160})</strong></p>")
_HEADING_WORDS: Final = 12
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp")
MAX_PICTURES: Final = 50
MAX_PICTURE_BYTES: Final = 20 * 1024 * 1024  # the same as in `supportbot.accounts.stored_pictures`
MAX_TOTAL_BYTES: Final = 100_000_000
_DOCUMENT: Final = "word/document.xml"
_NUMBERED_BY: Final = ("word/numbering.xml", "word/styles.xml")
# The names of styles in a file are English, whatever Word's language. Without this, a title would be a paragraph.
_STYLES: Final = "p[style-name='Title'] => h1:fresh"
_COMMENT: Final = re.compile(rb"<(?:\w+:)?comment\s")
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def read_word(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return {title, html, notes, sizes} and the pictures of these sizes, named `picture-1` and so on.

    Raises Refused.
    """
    notes = Notes()
    copy, title = _harmless_copy(source, notes)
    pictures = _Pictures()
    result = mammoth.convert_to_html(copy, convert_image=pictures.convert, style_map=_STYLES)
    if pictures.left_out:
        notes.add("pictures", number=pictures.left_out)
    html = _RETURN.sub("", _REFERENCE.sub(lambda found: found.group(1).translate(_RAISED), result.value))
    html = _BOLD_LINE.sub(_as_heading, html)
    if not re.sub(r"<[^>]*>", "", html).strip():
        raise Refused("word_empty")
    sizes = [len(content) for content in pictures.contents]
    return {"title": title, "html": html, "notes": notes.as_json(), "sizes": sizes}, pictures.contents


class _Pictures:
    """The pictures of a document, as stored in the file, in the order of the text."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.left_out = self._bytes = 0

    def convert(self, image: Any) -> list[Any]:  # mammoth has no type hints
        try:
            with image.open() as stream:
                content = stream.read(MAX_PICTURE_BYTES + 1)
        except (KeyError, ValueError):  # not in the copy, or in another file, which mammoth does not open by default
            content = b""
        is_wanted = 0 < len(content) <= MAX_PICTURE_BYTES and self._bytes + len(content) <= MAX_TOTAL_BYTES
        if not is_wanted or len(self.contents) >= MAX_PICTURES:
            self.left_out += 1
            return []
        self.contents.append(content)
        self._bytes += len(content)
        attributes = {"alt": image.alt_text} if image.alt_text else {}
        return [mammoth.html.element("img", {"src": f"picture-{len(self.contents)}", **attributes})]


def _as_heading(found: re.Match[str]) -> str:
    """Turn a short bold line into a heading, since many people never use heading styles."""
    words = found.group(1).strip()
    is_name = len(words.split()) <= _HEADING_WORDS and words[-1:].isalnum()
    return f"<h3>{words}</h3>" if is_name else found.group()


def _harmless_copy(source: BinaryIO, notes: Notes) -> tuple[io.BytesIO, str]:
    archive = open_archive(source)
    names = {entry.filename for entry in archive.infolist()}
    if not any(name.startswith("word/") for name in names):
        raise Refused("not_word")
    copy, title, hidden = io.BytesIO(), "", ""
    held: dict[str, bytes] = {}
    with ZipFile(copy, "w") as target:
        for entry in archive.infolist():
            is_picture = entry.filename.startswith("word/media/") and entry.filename.lower().endswith(_PICTURES)
            if is_picture and entry.file_size <= MAX_PICTURE_BYTES:
                target.writestr(entry.filename, read_entry(archive, entry))
            if not entry.filename.lower().endswith(_PARTS):
                continue
            part = read_entry(archive, entry)
            if _DOCTYPE.search(part):
                raise Refused("word_doctype")
            if entry.filename == "word/comments.xml" and (number := len(_COMMENT.findall(part))):
                notes.add("comments", number=number)
            if entry.filename.startswith("word/") and entry.filename.endswith(".xml"):
                part, text = readable(part)
                hidden += text
            if entry.filename == "docProps/core.xml":
                title = _core_title(part)
            if entry.filename in (_DOCUMENT, *_NUMBERED_BY):
                held[entry.filename] = part
            else:
                target.writestr(entry.filename, part)
        if all(name in held for name in (_DOCUMENT, *_NUMBERED_BY)):
            held[_DOCUMENT] = with_numbers(held[_DOCUMENT], *(held[name] for name in _NUMBERED_BY))
        for name, part in held.items():
            target.writestr(name, part)
    if hidden.strip():
        notes.add("hidden", text=shortened(hidden))
    copy.seek(0)
    return copy, title


def _core_title(part: bytes) -> str:
    title = ElementTree.fromstring(part).find("{http://purl.org/dc/elements/1.1/}title")
    return " ".join((title.text or "").split()) if title is not None else ""
