"""Content that a dry run has fetched, held for an hour, so that publishing need not fetch it again."""

import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.utils.timezone import now

from kb.sources.models import Source, SourceItem
from kb.sources.ports import Fetched

HELD: Final = timedelta(hours=1)
MAX_HELD_BYTES: Final = 4_000_000  # size of an item's content; larger ones are fetched again


def hold(item: SourceItem, fetched: Fetched) -> None:
    if fetched.file.stat().st_size > MAX_HELD_BYTES:
        return
    facts = {
        "name": fetched.name,
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "facts": fetched.facts,
        "at": now().isoformat(),
    }
    packed = zlib.compress(fetched.file.read_bytes(), 6)
    SourceItem.objects.filter(pk=item.pk).update(held=packed, held_facts=facts)


def held_content(item: SourceItem, folder: Path) -> Fetched | None:
    """Return the held content of an item, if it is fresh."""
    facts = item.held_facts
    # The facts are checked first, so that the content is loaded only if it is fresh.
    if not facts or item.held is None or now() - datetime.fromisoformat(facts["at"]) > HELD:
        return None
    file = folder / Path(facts["name"]).name
    file.write_bytes(zlib.decompress(bytes(item.held)))
    return Fetched(file, facts["name"], facts["etag"], facts["last_modified"], facts["facts"])


def drop_held(source: Source) -> None:
    SourceItem.objects.filter(source=source, held__isnull=False).update(held=None, held_facts={})
