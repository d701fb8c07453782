"""The items of a run of a source: those listed or found on the way, and those that are gone. The content that a dry run
has fetched is held for an hour, so that publishing need not fetch it again.
"""

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.models import Article, State
from kb.sources import runs
from kb.sources.models import Source, SourceItem, SourceRun
from kb.sources.ports import Fetched, Kind, Place

Mode, ItemState, Outcome = runs.Mode, runs.ItemState, runs.Outcome
MAX_ITEMS: Final = 10_000
FORGOTTEN_AFTER: Final = timedelta(days=30)  # until then, an address that is gone is still checked
HELD: Final = timedelta(hours=1)
MAX_HELD_BYTES: Final = 4_000_000  # size of an item's content; larger ones are fetched again
LOST_SHARE: Final = 3  # a loss of one item in three needs a person's confirmation


def with_articles(items: QuerySet[SourceItem]) -> QuerySet[SourceItem]:
    """Return the items that still have articles. The articles of a renamed file may have moved to the item with its new
    name.
    """
    theirs = Article.objects.filter(source_item=OuterRef("pk")).exclude(state=State.ARCHIVED)
    return items.filter(Exists(theirs))


def add_items(run: SourceRun, places: Iterable[Place]) -> None:
    """Queue items that are not in this run yet, up to the source's limit."""
    source: Source = run.source
    most = min(int(source.config.get("most", MAX_ITEMS)), MAX_ITEMS)
    wanted = {place.key: place for place in places if place.key}
    keys = list(wanted)
    items = SourceItem.objects.filter(run=run)
    here = dict(items.filter(key__in=keys).values_list("key", "depth"))
    # Known items are read first, so a new item may be queued with too great a depth.
    nearer = [place for key, place in wanted.items() if place.depth < here.get(key, 0)]
    for depth in {place.depth for place in nearer}:
        found = items.filter(key__in=[place.key for place in nearer if place.depth == depth])
        found.filter(imported_at=None, state=ItemState.QUEUED).update(depth=depth)
    room = most - items.count()
    fresh = [place for key, place in wanted.items() if key not in here][: max(room, 0)]
    if len(fresh) + len(here) < len(wanted) and not run.counts.get("limit"):
        run.counts["limit"] = most
        SourceRun.objects.filter(pk=run.pk).update(counts=run.counts)
    rows = [SourceItem(source=source, run=run, key=place.key, depth=place.depth) for place in fresh]
    SourceItem.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    _queue(SourceItem.objects.filter(source=source, key__in=[place.key for place in fresh]), run)


def queue_known(run: SourceRun, kind: Kind) -> None:
    """Queue the items of earlier runs that are still wanted."""
    forgotten = Q(state=ItemState.GONE, archived_at__lt=now() - FORGOTTEN_AFTER)
    known = SourceItem.objects.filter(source=run.source).exclude(forgotten)
    wanted = [pk for pk, key in known.values_list("pk", "key") if kind.wants(key)]
    _queue(known.filter(pk__in=wanted), run)


def _queue(items: QuerySet[SourceItem], run: SourceRun) -> None:
    items.exclude(run=run).update(run=run, state=ItemState.QUEUED, outcome="", reason="", tries=0)


def note_gone(run: SourceRun, kind: Kind, *, forgotten: Mapping[str, str]) -> None:
    """Record the items that this run did not find: no longer listed, or no longer wanted. `forgotten` contains empty
    digests, so that the items count as changed if they return.
    """
    others = SourceItem.objects.filter(source=run.source).exclude(run=run)
    if kind.is_complete:
        reason = gettext("The page or file is no longer there.")
    else:
        reason = gettext("The settings of the source exclude this page.")
        others = others.filter(pk__in=[pk for pk, key in others.values_list("pk", "key") if not kind.wants(key)])
    if run.mode != Mode.CHECK:
        others.filter(imported_at=None).delete()
    facts = {"state": ItemState.GONE, "outcome": Outcome.GONE, "reason": reason, "updated_at": now()}
    others.filter(imported_at__isnull=False, archived_at=None).update(run=run, **facts, **forgotten)


def is_suspicious(run: SourceRun, kind: Kind, lost: int) -> bool:
    """Return whether so much is gone that a person has to confirm the loss."""
    if not lost or kind.is_deliberate or run.mode == Mode.RETRY:
        return False
    if run.counts.get(runs.LOSS_CONFIRMED):
        return False
    known = SourceItem.objects.filter(source=run.source, imported_at__isnull=False, archived_at=None).count()
    return lost * LOST_SHARE >= known


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
