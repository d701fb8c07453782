"""The categories of an export that is read as a source: stored when their file is new or has changed, and previewed by
a dry run.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from kb.importing.categories import CategoryFile, import_categories, preview_categories
from kb.sources.item_import import MOST_REASONS
from kb.sources.models import Source
from kb.sources.ports import HasCategories, Kind

CATEGORIES: Final = "categories"  # a key in a source's memory


def store_categories(source: Source, kind: Kind) -> str:
    """Store the categories of an export that is read as a source; return what is wrong with them. Nothing is stored for
    a source that imports drafts, since drafts do not change help pages.

    Categories are stored only when their file is new or has changed, so that later changes in the console stay.
    """
    try:
        changed = _changed_categories(source, kind)
    except OSError as error:  # a full disk, say
        return gettext("Categories cannot be read ({strerror}).").format(strerror=error.strerror)
    if changed is not None:
        found = import_categories(changed.files)
        lines = [f"{problem.origin}: {problem.message}" for problem in found.problems]
        ignored = gettext("{file}: ignored, because kb_export did not write it.")
        lines += [ignored.format(file=one) for one in found.foreign]
        source.memory[CATEGORIES] = {**changed.record, "problems": "\n".join(lines[:MOST_REASONS])}
    return str((source.memory.get(CATEGORIES) or {}).get("problems", ""))


def new_categories(source: Source, kind: Kind) -> list[str]:
    """Return the categories of an export that the next run would add; store nothing."""
    try:
        changed = _changed_categories(source, kind)
    except OSError:  # the run that publishes reports why
        return []
    return [] if changed is None else preview_categories(changed.files).new


@dataclass(frozen=True, slots=True)
class _Categories:
    """The files with categories, and what to remember about them."""

    files: list[CategoryFile]
    record: dict[str, str]


def _changed_categories(source: Source, kind: Kind) -> _Categories | None:
    """Return the changes since the last run that stored categories. Raises OSError."""
    if not isinstance(kind, HasCategories) or not source.publishes:
        return None
    before = source.memory.get(CATEGORIES) or {}
    stamp = kind.categories_stamp()
    if stamp and stamp == before.get("stamp"):
        return None
    files = list(kind.categories())
    digest = hashlib.sha256(b"\0".join(file.content for file in files)).hexdigest() if files else ""
    record = {"digest": digest, "stamp": stamp}
    if digest != before.get("digest", ""):
        return _Categories(files, record)
    # The previous version reads "problems" whenever it finds a record.
    source.memory[CATEGORIES] = {"problems": ""} | before | record
    return None
