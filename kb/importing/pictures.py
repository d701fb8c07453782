"""The pictures that are imported with a document, from separate files or embedded in its text. They are re-encoded, and
those left out are reported.

A picture's address is derived from its content, so a document is the same whether or not its pictures are already
stored.
"""

import binascii
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from django.utils.translation import gettext, gettext_noop

from kb.importing.parsed_document import Document, NamedPicture
from kb.pictures import address_of, drawn_from, store
from kb.validation import check_article_text
from supportbot.accounts.stored_pictures import MAX_BYTES, StoredPicture, digest_of
from supportbot.errors import InvalidInput

# The content of the file at a relative address, or the picture in it; None if there is none.
Beside = Callable[[str], bytes | StoredPicture | None]

MAX_PICTURES: Final = 50  # pictures of one document
MAX_TOTAL_BYTES: Final = 10_000_000  # of one document's pictures, after re-encoding
MAX_TRIED: Final = 200  # files of one document; rejected ones count, since they are read and decoded, too
MAX_READ_BYTES: Final = 200_000_000
MOST_LISTED: Final = 3
LEAST_EMBEDDED: Final = 8  # pixels per side; smaller ones are placeholders for pictures that a script loads

# Brackets inside must be escaped; otherwise, the search would go from each opening bracket to the end of its line.
_SAID: Final = r"!\[(?:[^\[\]\\\n]|\\.){0,1000}\]"
_TITLE: Final = r"""(?:[ \t]{1,9}["'][^\n]{0,999}?["'])?"""
_IMAGE: Final = re.compile(rf"({_SAID}\([ \t]{{0,9}}<?)([^\s<>()]{{1,1000}})(>?{_TITLE}[ \t]{{0,9}}\))")
_EMBEDDED: Final = re.compile(r"data:image/(?:png|jpe?g|webp|gif);base64,", re.IGNORECASE)
_EMBEDDED_IMAGE: Final = re.compile(
    rf"({_SAID}\([ \t]{{0,9}}<?)(data:image/[A-Za-z0-9+/=;,]+)(>?{_TITLE}[ \t]{{0,9}}\))"
)
_ELSEWHERE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/#?\\]")
_MISSING: Final = gettext_noop("The file is not in the folder or zip file. Add it, then import again.")
_TOO_MANY: Final = gettext_noop("The limit for an article is {number} pictures and {megabytes} MB.")
_TOO_MANY_NAMED: Final = gettext_noop("The limit for an article is {tried} different files and {read} MB.")


def name_beside(reference: str) -> str:
    """Return the name of a file at a relative address; "" for any other address."""
    if _ELSEWHERE.match(reference):
        return ""
    return posixpath.normpath(unquote(reference.partition("?")[0].partition("#")[0]))


def embedded(reference: str) -> bytes | None:
    """Return the picture that an address contains (`data:`); None for any other address, b"" for a broken one."""
    head = _EMBEDDED.match(reference)
    if head is None:
        return None
    try:
        return binascii.a2b_base64(unquote(reference[head.end() :]).encode())
    except ValueError:  # not ASCII, or not base64
        return b""


class PicturesTaken:
    """The pictures of one document, as its reader finds them.

    `name_of` returns the name that `beside` uses for the picture at an address. With `least_undescribed`, pictures
    without a description are taken, too, if they have at least this many pixels per side; smaller ones are decorations.
    `is_decoration` says whether a picture is known to be one, so that it need not be read.
    """

    def __init__(
        self,
        beside: Beside,
        *,
        name_of: Callable[[str], str] = name_beside,
        least_undescribed: int = 0,
        is_decoration: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._beside, self._name_of, self._is_decoration = beside, name_of, is_decoration
        self.least_undescribed = least_undescribed
        self._addresses: dict[str, str] = {}  # by name: many references may lead to one file
        self._given: set[str] = set()  # addresses in the text, without decorations
        self._left_out: dict[str, tuple[str, str]] = {}  # by name: its name in the note, and why it is left out
        self._read = self._bytes = 0
        self.pictures: dict[str, StoredPicture] = {}

    def take(self, reference: str, *, is_described: bool = True) -> str:
        """Return the new address of the picture at an address; "" if it is left out."""
        content = embedded(reference)
        name = self._name_of(reference) if content is None else f"data:{digest_of(content or reference.encode())}"
        if not name:
            return ""
        if name not in self._addresses and content is None and not is_described and self._is_decoration(name):
            return ""
        if name not in self._addresses:
            shown = reference if content is None else reference.partition(",")[0]
            self._addresses[name] = self._taken(name, shown, content)
        address = self._addresses[name]
        picture = self.pictures.get(address)
        least = 0 if is_described else self.least_undescribed
        least = least if content is None else max(least, LEAST_EMBEDDED)
        if not address or (picture is not None and min(picture.width, picture.height) < least):
            return ""
        self._given.add(address)
        return address

    def _taken(self, name: str, reference: str, content: bytes | None) -> str:
        if len(self._given) >= MAX_PICTURES:
            return self._leave_out(name, reference, _reason_text(_TOO_MANY))
        if len(self._addresses) >= MAX_TRIED or self._read > MAX_READ_BYTES:
            return self._leave_out(name, reference, _reason_text(_TOO_MANY_NAMED))
        try:
            data = self._found(name) if content is None else content
            if data is None:
                return self._leave_out(name, reference, _reason_text(_MISSING))
            picture = data if isinstance(data, StoredPicture) else drawn_from(data)
        except InvalidInput as refusal:
            return self._leave_out(name, reference, _reason(refusal))
        self._read += 0 if isinstance(data, StoredPicture) else len(data)
        if self._bytes + len(picture.content) > MAX_TOTAL_BYTES:
            return self._leave_out(name, reference, _reason_text(_TOO_MANY))
        self._bytes += len(picture.content)
        address = address_of(picture)
        self.pictures[address] = picture
        return address

    def _found(self, name: str) -> bytes | StoredPicture | None:
        return None if "\0" in name else self._beside(name)  # no file can have this name, and PostgreSQL rejects it

    @property
    def left_out(self) -> Sequence[tuple[str, str]]:
        """The addresses of the pictures that were left out, with the reasons; for embedded pictures, only the
        beginning.
        """
        return list(self._left_out.values())

    def _leave_out(self, name: str, reference: str, why: str) -> str:
        self._left_out[name] = reference, why
        return ""

    def given_to(self, document: Document, references: Mapping[str, str] | None = None) -> Document:
        """Return the document with its pictures, and notes about those that were left out.

        `references` maps stored addresses to those in the file, if the text can keep the latter.
        """
        kept = references or {}
        named = {address: drawn for address, drawn in self.pictures.items() if address in document.wording.body}
        pictures = [NamedPicture(drawn, address, kept.get(address, "")) for address, drawn in named.items()]
        return replace(document, pictures=tuple(pictures), notes=(*document.notes, *self._notes()))

    def _notes(self) -> list[str]:
        text = gettext("Picture left out: {name}. {reason}")
        shown = self.left_out[:MOST_LISTED]
        notes = [text.format(name=reference[-80:], reason=reason) for reference, reason in shown]
        more = len(self._left_out) - len(shown)
        return [*notes, gettext("More pictures left out: {number}.").format(number=more)] if more else notes


def _reason(refusal: InvalidInput) -> str:
    return " ".join(refusal.fields.get("picture", ())) or refusal.message


def _reason_text(why: str) -> str:
    limits = {"number": MAX_PICTURES, "tried": MAX_TRIED}
    sizes = {"megabytes": MAX_TOTAL_BYTES // 1_000_000, "read": MAX_READ_BYTES // 1_000_000}
    return gettext(why).format(**limits, **sizes)


def with_pictures(document: Document, beside: Beside) -> Document:
    """Return a Markdown document, with the pictures that its text refers to by relative paths."""
    taken = PicturesTaken(beside)
    references: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        address = taken.take(found.group(2))
        references.setdefault(address, found.group(2))
        return f"{found.group(1)}{address}{found.group(3)}" if address else found.group()

    def unpacked(found: re.Match[str]) -> str:
        address = taken.take(found.group(2))
        return f"{found.group(1)}{address}{found.group(3)}" if address else found.group(1)[2:].rpartition("](")[0]

    body = _IMAGE.sub(named, _EMBEDDED_IMAGE.sub(unpacked, document.wording.body))
    return taken.given_to(replace(document, wording=check_article_text(document.wording.title, body)), references)


def store_pictures(documents: Sequence[Document]) -> list[Document]:
    """Store the documents' pictures; return the documents, without the pictures that exceed the workspace's limit.

    They are stored in the order of their addresses, so that two imports cannot deadlock.
    """
    drawn = {named.address: named.picture for document in documents for named in document.pictures}
    refused: dict[str, str] = {}
    for address in sorted(drawn):
        try:
            store(drawn[address])
        except InvalidInput as refusal:
            refused[address] = _reason(refusal)
    return [_without(document, refused) for document in documents]


def _without(document: Document, refused: Mapping[str, str]) -> Document:
    """Return the document with each refused picture in its text replaced with its original address, or only with its
    description.
    """
    references = {named.address: named.reference for named in document.pictures if named.address in refused}
    if not references:
        return document

    def as_it_was(found: re.Match[str]) -> str:
        reference = references.get(found.group(2))
        if reference is None:
            return found.group()
        return f"{found.group(1)}{reference}{found.group(3)}" if reference else found.group(1)[2:].rpartition("](")[0]

    wording = replace(document.wording, body=_IMAGE.sub(as_it_was, document.wording.body))
    notes = dict.fromkeys(refused[address] for address in references)
    return replace(document, wording=wording, notes=(*document.notes, *notes))


def beside_file(file: Path, root: Path) -> Beside:
    """Return a reader of files next to a file, inside `root`; links that lead out of it are not followed."""

    def read(reference: str) -> bytes | None:
        try:
            target = (file.parent / reference).resolve()
            return _begin(target) if target.is_relative_to(root.resolve()) and target.is_file() else None
        except (OSError, ValueError):  # no permission, or a name that no file can have
            return None

    return read


def beside_path(path: str, read: Beside) -> Beside:
    """Return a reader of files next to an uploaded file or one in a zip file; `read` gets a path without any `..`."""
    return lambda reference: read(posixpath.normpath(posixpath.join(posixpath.dirname(path), reference)))


def content_of(copies: Mapping[str, Path]) -> Beside:
    """Return a reader of the copies of a zip file's entries, by their names in the zip file."""
    return lambda name: _begin(copies[name]) if name in copies else None


def _begin(file: Path) -> bytes:
    """Return a file's content, or enough of it to see that it is too large."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)
