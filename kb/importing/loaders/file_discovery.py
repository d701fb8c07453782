"""Finding the files of an import, and the external id of each."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.confinement import unpacked
from kb.importing.loaders.file_reading import read
from kb.importing.loaders.format_detection import KNOWN_ENDINGS, Format, format_of
from kb.importing.parsed_document import Document, Failure, UnchangedDocument
from kb.importing.pictures import Beside, beside_file, beside_path, content_of


@dataclass(frozen=True, slots=True)
class Entries:
    """The digests of the PDF and Word files in a zip file; their text depends on nothing outside them. `known` contains
    the digests of the last run, `found` those of the files that could be read now.
    """

    known: Mapping[str, str]
    found: dict[str, str] = field(default_factory=dict)


def load(paths: Sequence[str]) -> Iterator[Document | Failure]:
    """Yield every item of the files, folders and zip files. Files of other kinds, such as images, are skipped silently
    in a folder, but a file that is named explicitly must be readable.
    """
    for path in paths:
        yield from _load_path(path)


def _load_path(path: str) -> Iterator[Document | Failure]:
    place = Path(path)
    if place.is_dir():
        root = place.resolve()
        for file in files_in(place):
            if not file.resolve().is_relative_to(root):  # a link may lead to anything this account can read
                yield Failure(
                    _printable(file), gettext("This link points outside the folder. Import its target by its own path.")
                )
                continue
            beside = beside_file(file, root)
            yield from items_of_file(file, file.relative_to(place).as_posix(), _printable(file), beside)
    elif not place.is_file():
        yield Failure(path, gettext("This file or folder does not exist. Check the path."))
    else:
        yield from items_of_file(place, place.name, _printable(place), beside_file(place, place.parent))


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the readable files below `folder` in a stable order; hidden files and links to folders are skipped."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(here, name)
            if not name.startswith(".") and name.lower().endswith(KNOWN_ENDINGS) and file.is_file():
                yield file


def items_of_file(file: Path, name: str, origin: str, beside: Beside | None = None) -> Iterator[Document | Failure]:
    """Yield the items of a file or zip file; `name` is its path in the import, which ids are derived from.

    `beside` reads the pictures next to the file.
    """
    for item in changed_items_of_file(file, name, origin, beside, Entries({})):
        if not isinstance(item, UnchangedDocument):  # without known entries, no document is unchanged
            yield item


def changed_items_of_file(
    file: Path, name: str, origin: str, beside: Beside | None, entries: Entries
) -> Iterator[Document | Failure | UnchangedDocument]:
    """Like `items_of_file`, but known entries of a zip file are not read again; the current digests are recorded in
    `entries`.
    """
    try:
        found = format_of(file, name)
        if found is Format.ZIP:
            yield from _in_archive(file, origin, entries)
            return
        yield from read(file, found, name, origin, beside)
    except InvalidDocument as error:
        yield Failure(origin, error.message)


def _in_archive(file: Path, origin: str, entries: Entries) -> Iterator[Document | Failure | UnchangedDocument]:
    """Yield the items of the files in a zip file, as if it were a folder."""
    with TemporaryDirectory(prefix="supportbot-unpacked-") as folder:
        with closing(unpacked(file, Path(folder))) as unpacking:
            unpacked_files = list(unpacking)  # a picture may come after the text that refers to it
        copies = {inside: copy for inside, copy, _ in unpacked_files if copy is not None}
        times = Counter(inside for inside, _, _ in unpacked_files)  # a zip file may contain a name several times
        for inside, copy, problem in unpacked_files:
            place = f"{origin}/{inside}"
            if copy is None:
                yield Failure(place, problem)
            elif _is_wanted(inside):
                noted = entries if times[inside] == 1 else Entries({})
                yield from _from_archive(copy, inside, place, beside_path(inside, content_of(copies)), noted)


def _from_archive(
    copy: Path, inside: str, place: str, beside: Beside, entries: Entries
) -> Iterator[Document | Failure | UnchangedDocument]:
    try:
        found = format_of(copy, inside)
        if found is Format.ZIP:
            raise InvalidDocument(
                gettext("Zip files inside a zip file are not read. Unpack the outer one and import its contents.")
            )
        digest = _digest(copy) if found in (Format.PDF, Format.WORD) else ""
        if digest and entries.known.get(inside) == digest:
            entries.found[inside] = digest
            yield UnchangedDocument(inside, place)
            return
        for item in read(copy, found, inside, place, beside):
            yield replace(item, origin=item.origin.replace(str(copy), place))
        if digest:
            entries.found[inside] = digest
    except InvalidDocument as error:
        yield Failure(place, error.message)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_wanted(name: str) -> bool:
    parts = name.split("/")
    # macOS adds a folder with the resource forks of its files.
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not is_hidden and name.lower().endswith(KNOWN_ENDINGS)


def _printable(file: Path) -> str:
    """Return the path with question marks in place of anything that is not UTF-8."""
    return str(file).encode("utf-8", "replace").decode()
