"""The categories of an export: one file next to the collections' folders, with their order, icons, descriptions and
names in other languages. Importing it again changes nothing. An export may be a folder, a zip of its contents or of the
folder itself, or files of a source.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext

from kb.categories import MAX_CATEGORIES, check_look, current_names, order_categories, save_category
from kb.errors import InvalidDocument
from kb.importing.confinement import unpacked
from kb.importing.loaders.format_detection import Format, format_of
from kb.importing.parsed_document import Failure
from kb.models import Category
from kb.validation import check_category

FILE: Final = "categories.json"
MAX_BYTES: Final = 1_000_000  # the file of a real export is smaller
MAX_FILES: Final = 10  # files read from a zip file or an upload, since each folder may contain one
_TEXTS: Final = ("name", "description", "icon")
_FIELDS: Final = (*_TEXTS, "former_names", "translations")


def written_categories() -> str:
    """Return the workspace's categories in the file's format; "" if there are none."""
    rows = [{name: value for name in _FIELDS if (value := getattr(row, name))} for row in Category.objects.all()]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n" if rows else ""


@dataclass(frozen=True, slots=True)
class CategoryFile:
    """A file of an export that may have categories: the path shown to people, and its content."""

    origin: str
    content: bytes


class ForeignFile(Exception):
    """A file of the same name, written by a different program."""


@dataclass(frozen=True, slots=True)
class CategoryImport:
    """The number of categories stored, the new ones, those that were refused, and the files that are not from an
    export.
    """

    count: int
    problems: list[Failure]
    foreign: list[str]
    new: list[str]


def is_category_file(name: str) -> bool:
    """Return whether a path in an export is its category file, at the top or in the exported folder."""
    folder, _, last = name.rpartition("/")
    return last == FILE and "/" not in folder


def category_files(paths: Sequence[str]) -> Iterator[CategoryFile]:
    """Yield the category files of exported folders, and of zip files with an export."""
    for path in paths:
        place = Path(path)
        if (file := place / FILE).is_file():
            if not file.resolve().is_relative_to(place.resolve()):  # a link may lead to anything this account can read
                continue
            with suppress(OSError):
                yield CategoryFile(str(file), _begin(file))
        elif place.is_file():
            with suppress(InvalidDocument):  # the import of its articles reports what is wrong with it
                yield from _in_archive(place)


def _in_archive(file: Path) -> Iterator[CategoryFile]:
    if format_of(file, file.name) is not Format.ZIP:
        return
    with (
        TemporaryDirectory(prefix="supportbot-categories-") as folder,
        closing(unpacked(file, Path(folder))) as entries,
    ):
        found = ((name, copy) for name, copy, _ in entries if copy is not None and is_category_file(name))
        for name, copy in islice(found, MAX_FILES):
            yield CategoryFile(f"{file}/{name}", _begin(copy))


def _begin(file: Path) -> bytes:
    """Return a file's content, or enough of it to see that it is too large."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def import_categories(files: Iterable[CategoryFile]) -> CategoryImport:
    """Store the categories of these files."""
    count, problems, foreign, new = 0, list[Failure](), list[str](), list[str]()
    for file in files:
        order = []
        try:
            for row in _rows(file, problems):
                is_new = row._state.adding
                try:
                    save_category(row)
                except InvalidDocument as error:
                    problems.append(Failure(f"{file.origin}: {row.name}", error.message))
                else:
                    order.append(row.pk)
                    new += [row.name] if is_new else []
        except ForeignFile:
            foreign.append(file.origin)
        if order:
            order_categories(order)
        count += len(order)
    return CategoryImport(count, problems, foreign, new)


def preview_categories(files: Iterable[CategoryFile]) -> CategoryImport:
    """Return what `import_categories` would return, without storing anything."""
    with transaction.atomic():
        found = import_categories(files)
        transaction.set_rollback(True)
    return found


def _rows(file: CategoryFile, problems: list[Failure]) -> Iterator[Category]:
    """Yield the categories of a file as they will be stored, and add what cannot be read to the problems.

    Raises ForeignFile.
    """
    try:
        given = _read(file.content)
    except InvalidDocument as error:
        problems.append(Failure(file.origin, error.message))
        return
    for number, facts in enumerate(given, start=1):
        try:
            yield _row(facts)
        except InvalidDocument as error:
            problems.append(Failure(f"{file.origin}: {number}", error.message))


def _read(content: bytes) -> list[Any]:
    """Return the rows of a file. Raises ForeignFile, or InvalidDocument if the file has too many rows."""
    if len(content) > MAX_BYTES:
        raise ForeignFile
    try:
        given = json.loads(content.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or a number too long to read
        raise ForeignFile from error
    if not isinstance(given, list) or (given and not any(map(_has_our_fields, given))):
        raise ForeignFile
    if len(given) > MAX_CATEGORIES:
        raise InvalidDocument(gettext("This is not a list of categories in the form that kb_export writes."))
    return given


def _row(facts: Any) -> Category:
    """Return the category with this name or former name, or a new one, with the data from the file. Raises
    InvalidDocument.
    """
    if not _is_category(facts):
        raise InvalidDocument(gettext("This is not a category in the form that kb_export writes."))
    name = check_category(facts["name"])
    name = current_names([name]).get(name, name)
    row: Category = Category.objects.filter(name=name).first() or Category(name=name)
    row.description, row.icon = facts.get("description", ""), facts.get("icon", "")
    row.translations = facts.get("translations", {})
    former = [check_category(one) for one in facts.get("former_names", [])]
    row.former_names = [one for one in dict.fromkeys([*row.former_names, *former]) if one and one != name]
    check_look(row)
    return row


def _has_our_fields(facts: Any) -> bool:
    return isinstance(facts, Mapping) and "name" in facts and set(facts) <= set(_FIELDS)


def _is_category(facts: Any) -> bool:
    if not _has_our_fields(facts):
        return False
    former, translations = facts.get("former_names", []), facts.get("translations", {})
    if not isinstance(former, list) or not isinstance(translations, dict):
        return False
    if not all(isinstance(translation, dict) for translation in translations.values()):
        return False
    words = [word for translation in translations.values() for word in translation.values()]
    return all(isinstance(text, str) for text in (*former, *words, *(facts[one] for one in _TEXTS if one in facts)))
