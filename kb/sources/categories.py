"""The categories of an export that is read as a source. They are stored when their file is new or has changed, so that
what somebody arranges in the console afterwards stays.
"""

import hashlib
from typing import Final

from django.utils.translation import gettext

from kb.importing.categories import import_categories
from kb.sources.models import Source
from kb.sources.ports import HasCategories, Kind

REMEMBERED: Final = "categories"  # in a source's memory
MOST_SHOWN: Final = 5


def store_categories(source: Source, kind: Kind) -> str:
    """Store the categories beside a source's items; return what is wrong with them. Drafts change no help page."""
    if not isinstance(kind, HasCategories) or not source.publishes:
        return ""
    try:
        files = list(kind.categories())
    except OSError as error:  # a full disk, say
        return gettext("Categories cannot be read ({strerror}).").format(strerror=error.strerror)
    digest = hashlib.sha256(b"\0".join(file.content for file in files)).hexdigest() if files else ""
    before = source.memory.get(REMEMBERED) or {"digest": "", "problems": ""}
    if digest == before["digest"]:
        return str(before["problems"])
    found = import_categories(files)
    lines = [f"{problem.origin}: {problem.message}" for problem in found.problems]
    lines += [gettext("{file}: ignored, because kb_export did not write it.").format(file=one) for one in found.foreign]
    problems = "\n".join(lines[:MOST_SHOWN])
    source.memory[REMEMBERED] = {"digest": digest, "problems": problems}
    return problems
