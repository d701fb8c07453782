"""Files uploaded for an import. Each is stored separately, under the path that the browser gave."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from kb.access import restricted_collections
from kb.collections import default_name
from kb.importing.categories import category_files, is_category_file
from kb.importing.loaders import load
from kb.importing.parsed_document import Document, Failure
from kb.models import Article, Collection
from supportbot.accounts.models import User

if TYPE_CHECKING:  # generic for the type checker only
    from django.core.files.uploadedfile import UploadedFile

MAX_BYTES: Final = 20 * 1024 * 1024
# More than anyone would wait for in a browser; the command has no such limit.
MAX_ITEMS: Final = 500
MAX_PATH_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True)
class Upload:
    """One file. `path` is its path in the dropped folder; it becomes the article's id unless the file sets one."""

    file: "UploadedFile[bytes]"
    path: str


def documents_in(uploads: Sequence[Upload]) -> Iterator[Document | Failure]:
    """Yield the items in the files, in order. An unreadable file yields a Failure and does not stop the rest."""
    for upload in uploads:
        yield from _items_of(upload)


def writable(items: Iterable[Document | Failure], person: User, collection: str) -> Iterator[Document | Failure]:
    """Yield the items. An item in a collection where the person may not write is replaced by a Failure."""
    closed = dict(Collection.objects.filter(pk__in=restricted_collections(person)).values_list("pk", "name"))
    names, default = {name.casefold() for name in closed.values()}, default_name()
    for item in items:
        if isinstance(item, Failure) or not closed:
            yield item
            continue
        at_home = Article.objects.filter(external_id=item.external_id).values_list("collection_id", flat=True).first()
        target = collection or item.collection or ("" if at_home else default)
        if at_home in closed or target.casefold() in names:
            yield Failure(
                item.origin,
                gettext("Only the people selected for this collection may write to it. Choose another collection."),
            )
        else:
            yield item


def _items_of(upload: Upload) -> Iterator[Document | Failure]:
    path = _clean(upload.path)
    if path is None:
        yield Failure(upload.path[:80], gettext("The file name cannot be used. Choose a shorter, simpler one."))
    elif is_category_file(str(path)):
        yield _without_categories(str(path))
    elif (upload.file.size or 0) > MAX_BYTES:
        yield Failure(
            str(path),
            gettext("The file is larger than {megabytes} MB. Split it.").format(megabytes=MAX_BYTES // 1024 // 1024),
        )
    else:
        with TemporaryDirectory(prefix="supportbot-import-") as folder:
            yield from _capped(str(path), _read(upload.file, Path(folder), path))


def _clean(path: str) -> PurePosixPath | None:
    """Return the path relative to the target folder, or None if it is not a valid file path there."""
    parts = path.replace("\\", "/").split("/")
    is_plain = all(part.isprintable() and not part.startswith(".") and 0 < len(part.encode()) <= 200 for part in parts)
    return PurePosixPath(*parts) if is_plain and len(path) <= MAX_PATH_CHARACTERS else None


def _read(file: "UploadedFile[bytes]", folder: Path, path: PurePosixPath) -> Iterator[Document | Failure]:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as copy:
        for piece in file.chunks():
            copy.write(piece)
    # Reading a folder uses paths as ids but skips unknown files; reading a single file reports why it is unreadable.
    items = list(islice(load([str(folder)]), MAX_ITEMS + 1)) or list(load([str(place)]))
    for item in items:
        # Do not show the path of our temporary copy.
        yield replace(item, origin=item.origin.replace(f"{folder}/", ""))
    for found in category_files([str(place)]):
        yield _without_categories(found.origin.replace(f"{folder}/", ""))


def _without_categories(origin: str) -> Failure:
    return Failure(origin, gettext("Categories are not imported here. Add the export as a file source under Sources."))


def _capped(name: str, items: Iterator[Document | Failure]) -> Iterator[Document | Failure]:
    yield from islice(items, MAX_ITEMS)
    if next(items, None) is not None:
        yield Failure(
            name,
            gettext("Only the first {most_items} items were read. Import this file with `manage.py kb_import`.").format(
                most_items=MAX_ITEMS
            ),
        )
