"""Files as a source: a folder or file on the server, named by an operator, or uploaded files."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from django.db.models import BinaryField, Q
from django.db.models.functions import Substr
from django.utils.translation import gettext

from kb.importing.categories import FILE, MAX_FILES, CategoryFile, category_files, is_category_file
from kb.importing.categories import MAX_BYTES as MAX_CATEGORY_BYTES
from kb.importing.loaders.file_discovery import Entries, changed_items_of_file, files_in
from kb.importing.pictures import Beside, beside_file, beside_path
from kb.sources.errors import SourceUnreadable, Unreadable
from kb.sources.models import SourceFile
from kb.sources.ports import Fetched, ItemGone, ItemSkipped, Known, Origin, Place, Read, Unchanged
from supportbot.accounts.stored_pictures import MAX_BYTES

_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")
# Only endings are searched for: a pattern for the whole name takes quadratic time on a long line without spaces.
_PICTURE_ENDING: Final = re.compile(rb"\.(?:png|jpe?g|webp|gif|svg)", re.IGNORECASE)
_NOT_IN_NAMES: Final = re.compile(r"""[\s"'<>/\\]""")
_MAX_NAME_BYTES: Final = 400  # before the ending, percent-encoded
_MOST_NAMED: Final = 50_000  # in one text; a file of 20 MB could contain millions of endings
_WITH_PICTURES: Final = (".md", ".markdown", ".html", ".htm")


class _Files(ABC):
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


class Folder(_Files):
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


class Uploads(_Files):
    """Uploaded files; they are kept with the source."""

    is_deliberate = True

    def places(self) -> Iterable[Place]:
        rows = SourceFile.objects.filter(source_id=self.origin.source_id).order_by("path")
        paths = [path for path in rows.values_list("path", flat=True) if not is_category_file(path)]
        named = self._named_pictures(frozenset(_last_word(path) for path in paths if _is_picture(path)))
        # Pictures belong to the texts that name them. The reader reports why it cannot read any others.
        return [Place(path) for path in paths if not (_is_picture(path) and _last_word(path) in named)]

    def _named_pictures(self, wanted: frozenset[str]) -> frozenset[str]:
        """Return which of these names (without folders, and only the part after the last space) the texts contain."""
        is_text = Q()
        for ending in _WITH_PICTURES:
            is_text |= Q(path__iendswith=ending)
        rows = SourceFile.objects.filter(is_text, source_id=self.origin.source_id).values_list("content", flat=True)
        found: set[str] = set()
        for content in rows.iterator(chunk_size=1):  # a file may have 20 MB
            if found == wanted:
                break
            found.update(name for name in _picture_names(bytes(content)) if name in wanted)
        return frozenset(found)

    def categories(self) -> Iterable[CategoryFile]:
        rows = SourceFile.objects.filter(source_id=self.origin.source_id, path__endswith=FILE).order_by("path")
        # One byte more shows that a file is too large.
        begin = Substr("content", 1, MAX_CATEGORY_BYTES + 1, output_field=BinaryField())
        wanted = [path for path in rows.values_list("path", flat=True) if is_category_file(path)][:MAX_FILES]
        found = rows.filter(path__in=wanted).values_list("path", begin)
        return [CategoryFile(path, bytes(content)) for path, content in found]

    def categories_stamp(self) -> str:
        return ""

    def fetch(self, known: Known, folder: Path) -> Fetched | ItemGone:
        row = SourceFile.objects.filter(source_id=self.origin.source_id, path=known.key).first()
        if row is None:
            return ItemGone(gettext("The file was removed from the source."))
        file = folder / f"upload{Path(known.key).suffix.lower()}"
        file.write_bytes(row.content)
        return Fetched(file, known.key)

    def _beside(self, known: Known, fetched: Fetched) -> Beside:
        def read(path: str) -> bytes | None:
            rows = SourceFile.objects.filter(source_id=self.origin.source_id, path=path)
            # One byte more than a picture may have shows that it is too large.
            begin = Substr("content", 1, MAX_BYTES + 1, output_field=BinaryField())
            found = rows.values_list(begin, flat=True).first()
            return None if found is None else bytes(found)

        return beside_path(known.key, read)


def _is_picture(path: str) -> bool:
    return path.lower().endswith(_PICTURES)


def _picture_names(content: bytes) -> Iterator[str]:
    """Yield the names of pictures in the text: in lower case, without folders, and only the part after the last space.
    Brackets may belong to a name or surround it, so a word with brackets is yielded in each form.
    """
    for ending in islice(_PICTURE_ENDING.finditer(content), _MOST_NAMED):
        before = content[max(0, ending.start() - _MAX_NAME_BYTES) : ending.end()]
        word = _NOT_IN_NAMES.split(before.decode(errors="replace"))[-1]
        for form in {word, word.partition("(")[2], word.rpartition("(")[2], word.rpartition("](")[2]}:
            yield _last_word(unquote(form))


def _last_word(path: str) -> str:
    return path.rpartition("/")[2].rpartition(" ")[2].lower()


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"


def _has_plain_name(file: Path) -> bool:
    name = str(file)
    return name.isprintable() and not any("\ud800" <= sign <= "\udfff" for sign in name)
