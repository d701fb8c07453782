"""Uploaded files as a source: storing and removing them, and reading those that were stored."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import unquote

from django.db import transaction
from django.db.models import BinaryField, Q
from django.db.models.functions import Substr
from django.utils.translation import gettext

from kb.access import check_may_write
from kb.errors import InvalidDocument
from kb.importing.categories import FILE, CategoryFile, is_category_file
from kb.importing.categories import MAX_BYTES as MAX_CATEGORY_BYTES
from kb.importing.categories import MAX_FILES as MAX_CATEGORY_FILES
from kb.importing.confinement import unpacked
from kb.importing.pictures import Beside, beside_path
from kb.sources.errors import InvalidSource
from kb.sources.files import Files
from kb.sources.models import UPLOADS, Source, SourceFile
from kb.sources.ports import Fetched, ItemGone, Known, Place
from supportbot.accounts.models import User
from supportbot.accounts.stored_pictures import MAX_BYTES
from supportbot.team_formats import labelled

MAX_FILE_BYTES: Final = 20 * 1024 * 1024
MAX_FILES: Final = 5_000
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg")
# Only endings are searched for: a pattern for the whole name takes quadratic time on a long line without spaces.
_PICTURE_ENDING: Final = re.compile(rb"\.(?:png|jpe?g|webp|gif|svg)", re.IGNORECASE)
_NOT_IN_NAMES: Final = re.compile(r"""[\s"'<>/\\]""")
_MAX_NAME_BYTES: Final = 400  # before the ending, percent-encoded
_MOST_NAMED: Final = 50_000  # names read from one text; a file of 20 MB could contain millions of endings
_WITH_PICTURES: Final = (".md", ".markdown", ".html", ".htm")


class Uploads(Files):
    """Uploaded files; they are kept with the source."""

    is_deliberate = True

    def places(self) -> Iterable[Place]:
        rows = SourceFile.objects.filter(source_id=self.origin.source_id).order_by("path")
        paths = [path for path in rows.values_list("path", flat=True) if not is_category_file(path)]
        named = self._named_pictures(frozenset(_last_word(path) for path in paths if _is_picture(path)))
        # Pictures to which texts refer are read with these texts. Other pictures are listed, so that the reader says
        # why it cannot read them.
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
        wanted = [path for path in rows.values_list("path", flat=True) if is_category_file(path)][:MAX_CATEGORY_FILES]
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


@transaction.atomic
def add_files(source: Source, files: Iterable[tuple[str, bytes]], *, person: User | None = None) -> list[str]:
    """Store uploaded files, with each file in a zip stored separately; a file with the same path is replaced.

    Returns the errors of files that were not stored. Raises InvalidSource for a source of a different kind.
    """
    check_may_write(person, source.collection)
    if source.kind != UPLOADS:
        raise InvalidSource(gettext("Files cannot be added to this source. Add a source for uploaded files instead."))
    problems: list[str] = []
    for path, content in files:
        for name, inner, problem in _unpacked(path, content):
            problem = problem or _file_problem(name, inner)
            if problem:
                problems.append(labelled(name[:200], problem))
            elif SourceFile.objects.filter(source=source).count() >= MAX_FILES:
                problems.append(
                    gettext("A source can hold at most {most} files. Add another source.").format(most=MAX_FILES)
                )
                return problems
            else:
                facts = {"content": inner, "size": len(inner)}
                SourceFile.objects.update_or_create(source=source, path=name, defaults=facts)
    return problems


def remove_file(source: Source, path: str, *, person: User | None = None) -> bool:
    """Remove a file; the next run archives its articles. Return whether it was there."""
    check_may_write(person, source.collection)
    return bool(SourceFile.objects.filter(source=source, path=path).delete()[0])


def _unpacked(path: str, content: bytes) -> Iterable[tuple[str, bytes, str]]:
    if not path.lower().endswith(".zip"):
        return [(path, content, "")]
    found: list[tuple[str, bytes, str]] = []
    with TemporaryDirectory(prefix="supportbot-upload-") as folder:
        file = Path(folder, "upload.zip")
        file.write_bytes(content)
        inside = Path(folder, "inside")
        inside.mkdir()
        try:
            with closing(unpacked(file, inside)) as entries:
                for name, copy, problem in entries:
                    if _is_wanted(name):
                        found.append((name, copy.read_bytes() if copy else b"", problem))
        except InvalidDocument as error:
            return [(path, b"", error.message)]
    return found


def _is_wanted(name: str) -> bool:
    # macOS adds a folder with the resource forks of its files.
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _file_problem(path: str, content: bytes) -> str:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    is_plain = path.isprintable() and 0 < len(path) <= 400 and not path.startswith("/") and ".." not in parts
    if not is_plain or any(part.startswith(".") for part in parts):
        return gettext("The file name cannot be used. Choose a shorter, simpler one.")
    if len(content) > MAX_FILE_BYTES:
        return gettext("The file is larger than {megabytes} MB. Split it.").format(megabytes=MAX_FILE_BYTES // 2**20)
    return ""
