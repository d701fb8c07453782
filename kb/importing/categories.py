"""The categories of an export: one file beside the collections' folders, with their order, icons, descriptions and
names in other languages. Reading it twice changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext

from kb.categories import MAX_CATEGORIES, check_look, current_names, order_categories, save_category
from kb.documents import Failure, check_category
from kb.errors import InvalidDocument
from kb.models import Category

FILE: Final = "categories.json"
MAX_BYTES: Final = 1_000_000  # an export's file is smaller
_TEXTS: Final = ("name", "description", "icon")
_FIELDS: Final = (*_TEXTS, "former_names", "translations")


def written_categories() -> str:
    """Return the workspace's categories as the file has them; "" if there are none."""
    rows = [{name: value for name in _FIELDS if (value := getattr(row, name))} for row in Category.objects.all()]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n" if rows else ""


class ForeignFile(Exception):
    """A file of the same name that another program wrote."""


@dataclass(frozen=True, slots=True)
class CategoryImport:
    """How many categories were stored, what was refused, and the files that are not of an export."""

    count: int
    problems: list[Failure]
    foreign: list[str]


def import_categories(paths: Sequence[str]) -> CategoryImport:
    """Store the categories of these exported folders."""
    count, problems, foreign = 0, list[Failure](), list[str]()
    for file in _files(paths):
        order = []
        try:
            for row in _rows(file, problems):
                try:
                    save_category(row)
                except InvalidDocument as error:
                    problems.append(Failure(f"{file}: {row.name}", error.message))
                else:
                    order.append(row.pk)
        except ForeignFile:
            foreign.append(str(file))
        if order:
            order_categories(order)
        count += len(order)
    return CategoryImport(count, problems, foreign)


def preview_categories(paths: Sequence[str]) -> CategoryImport:
    """Return what `import_categories` would, and store nothing."""
    with transaction.atomic():
        found = import_categories(paths)
        transaction.set_rollback(True)
    return found


def _files(paths: Sequence[str]) -> Iterator[Path]:
    for path in paths:
        if (file := Path(path) / FILE).is_file():
            yield file


def _rows(file: Path, problems: list[Failure]) -> Iterator[Category]:
    """Yield the categories of a file as they will be stored, and add what cannot be read to the problems.

    Raises ForeignFile.
    """
    try:
        given = _read(file)
    except InvalidDocument as error:
        problems.append(Failure(str(file), error.message))
        return
    for number, facts in enumerate(given, start=1):
        try:
            yield _row(facts)
        except InvalidDocument as error:
            problems.append(Failure(f"{file}: {number}", error.message))


def _read(file: Path) -> list[Any]:
    """Return what is in a file. Raises ForeignFile, and InvalidDocument if it cannot be opened or has too many rows."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ForeignFile
        given = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InvalidDocument(gettext("This is not a list of categories as kb_export writes it.")) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or a number too long to read
        raise ForeignFile from error
    if not isinstance(given, list) or (given and not any(map(_has_our_fields, given))):
        raise ForeignFile
    if len(given) > MAX_CATEGORIES:
        raise InvalidDocument(gettext("This is not a list of categories as kb_export writes it."))
    return given


def _row(facts: Any) -> Category:
    """Return the category that these facts describe, by its name or a former one. Raises InvalidDocument."""
    if not _is_category(facts):
        raise InvalidDocument(gettext("This is not a category as kb_export writes it."))
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
    if not all(isinstance(told, dict) for told in translations.values()):
        return False
    words = [word for told in translations.values() for word in told.values()]
    return all(isinstance(text, str) for text in (*former, *words, *(facts[one] for one in _TEXTS if one in facts)))
