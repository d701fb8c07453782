"""Files as a source: a folder or file on the server that an operator has specified, and the part shared with uploaded
files.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext

from kb.importing.categories import CategoryFile, category_files
from kb.importing.loaders.file_discovery import Entries, changed_items_of_file, files_in
from kb.importing.pictures import Beside, beside_file
from kb.sources.errors import SourceUnreadable, Unreadable
from kb.sources.ports import Fetched, ItemGone, ItemSkipped, Known, Origin, Place, Read, Unchanged


class Files(ABC):
    """The common base of sources that consist of files."""

    is_complete = True
    is_remote = False

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def wants(self, key: str) -> bool:
        return True

    def read(self, known: Known, fetched: Fetched) -> Read | ItemSkipped:
        """Return the documents of a file, or of all files in a zip file."""
        entries = Entries(known.entries)
        items = changed_items_of_file(fetched.file, known.key, known.key, self._beside(known, fetched), entries)
        placed = [replace(item, origin=item.origin.replace(str(fetched.file), known.key)) for item in items]
        return Read(placed, entries=entries.found)

    @abstractmethod
    def _beside(self, known: Known, fetched: Fetched) -> Beside:
        """Return a reader of the pictures next to a file."""


class Folder(Files):
    """A folder, or one file, on this machine."""

    is_deliberate = False

    def _beside(self, known: Known, fetched: Fetched) -> Beside:
        root = Path(self.origin.address)
        return beside_file(fetched.file, root.parent if root.is_file() else root)

    def categories(self) -> Iterable[CategoryFile]:
        return category_files([self.origin.address])

    def categories_stamp(self) -> str:
        root = Path(self.origin.address)
        return _stamp(root) if root.is_file() else ""  # reading the categories of a zip file would unpack it

    def places(self) -> Iterable[Place]:
        place = Path(self.origin.address)
        if not place.is_absolute() or not (place.is_dir() or place.is_file()):
            raise SourceUnreadable(
                gettext(
                    "{path} does not exist on this machine. Check the path, and whether its disk is mounted."
                ).format(path=self.origin.address)
            )
        if place.is_file():
            yield Place(place.name)
            return
        if not os.access(place, os.R_OK | os.X_OK):
            raise SourceUnreadable(gettext("{path} cannot be read. Check its permissions.").format(path=place))
        yield from (Place(file.relative_to(place).as_posix()) for file in files_in(place) if _has_plain_name(file))

    def fetch(self, known: Known, folder: Path) -> Fetched | Unchanged | ItemGone:
        root = Path(self.origin.address)
        file = root if root.is_file() else root / known.key
        if not file.is_file():
            return ItemGone(gettext("The file no longer exists."))
        if not file.resolve().is_relative_to(root.resolve()):  # a link may lead to anything this account can read
            raise Unreadable(gettext("This link points outside the folder. Import its target by its own path."))
        stamp = _stamp(file)
        return Unchanged() if stamp == known.etag else Fetched(file, known.key, etag=stamp)


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"


def _has_plain_name(file: Path) -> bool:
    name = str(file)
    return name.isprintable() and not any("\ud800" <= sign <= "\udfff" for sign in name)
