"""Deciding which item of a source may write an article: if two files have the same id, or two pages the same text, only
one of them may.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.importing.parsed_document import Document, Failure
from kb.models import Article, State
from kb.sources.models import COMPARED, Source, SourceItem, SourceRun

ItemState, Outcome = SourceItem.State, SourceItem.Outcome
# The states in which an item may have refused ids: one that is gone or was left out has no articles to write.
READ: Final = (ItemState.EMBEDDING, ItemState.READY, ItemState.UNCHANGED, ItemState.FAILED)


def ours(source: Source, item: SourceItem, documents: Sequence[Document]) -> tuple[list[Document], list[Failure]]:
    """Return the documents that this item may write, and why it may not write the others."""
    known = _articles({document.external_id for document in documents})
    wanted: list[Document] = []
    refused: list[Failure] = []
    for document in documents:
        problem = _problem(source, item, known.get(document.external_id))
        if problem:
            refused.append(Failure(document.origin, problem, document.external_id))
        else:
            wanted.append(replace(document, audience=source.audience or document.audience))
    return wanted, refused


def requeue_refused(run: SourceRun) -> bool:
    """Queue the items that may now write articles that other items had when they were read; return whether there are
    any. Their content has not changed, so the digests that would show this are cleared.
    """
    if run.mode == SourceRun.Mode.CHECK:
        return False
    source: Source = run.source
    refusing = SourceItem.objects.filter(run=run, state__in=READ, refused__isnull=False)
    items = list(refusing.select_related("run").defer("held", "held_facts"))
    names = {item.pk: item.refused or () for item in items}
    known = _articles({name for wanted in names.values() for name in wanted})
    free = [item.pk for item in items if any(not _problem(source, item, known.get(one)) for one in names[item.pk])]
    facts = dict.fromkeys(COMPARED, "") | {"state": ItemState.QUEUED, "outcome": "", "tries": 0, "refused": None}
    return bool(SourceItem.objects.filter(pk__in=free).update(**facts))


def _articles(ids: Collection[str]) -> dict[str, Article]:
    rows = Article.objects.filter(external_id__in=ids).select_related("source_item", "collection")
    return {article.external_id: article for article in rows.defer("source_item__held", "source_item__held_facts")}


def _problem(source: Source, item: SourceItem, article: Article | None) -> str:
    owner = article.source_item if article is not None else None
    if article is None or (owner is None and article.collection_id == source.collection_id):
        return ""
    if owner is None:
        return gettext("An article in the collection {name} already has the id “{id}”.").format(
            name=article.collection.name, id=article.external_id
        )
    if owner.source_id != source.pk:
        return gettext("The article “{id}” already comes from another source.").format(id=article.external_id)
    is_lost = owner.archived_at is not None or article.external_id in (owner.vanished or ())
    if owner.pk != item.pk and not (is_lost or _is_gone(owner, item)):
        return gettext("{path} already uses the id “{id}”. Use another id for one of them.").format(
            path=owner.key, id=article.external_id
        )
    if article.state == State.ARCHIVED and not is_lost:
        return gettext("The article was archived here. Publish it to resume updates.")
    return ""


def _is_gone(other: SourceItem, item: SourceItem) -> bool:
    """Return whether another item of the source is gone: the run that reads this one has found no such file or page.
    That proves nothing in a retry, which lists no items, or in a run beyond its limit, which does not list all of them.
    """
    run = item.run
    is_listed = run is not None and run.mode != SourceRun.Mode.RETRY and not run.counts.get("limit")
    return other.state == ItemState.GONE or (is_listed and other.run_id != item.run_id)


def twin_of(source: Source, item: SourceItem, text_hash: str) -> str | None:
    """Return the key of another item of the source that has the same text and is the one to keep; None if there is
    none.
    """
    is_read = Q(outcome__in=(Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED))
    # Items with articles are read in the order in which they got them, so one that is still queued here is younger.
    has_articles = Q(imported_at__isnull=False, archived_at=None, state__in=(ItemState.QUEUED, ItemState.FAILED))
    others = SourceItem.objects.filter(is_read | has_articles, source=source, text_hash=text_hash).exclude(pk=item.pk)
    # An item that this run has not found is gone, so its text may have moved here. A retry does not list any items.
    is_retry = item.run is not None and item.run.mode == SourceRun.Mode.RETRY
    here = others.filter(imported_at__isnull=False) if is_retry else others.filter(run=item.run)
    # If two items have the same text, the older one is kept.
    twin = here.order_by("imported_at", "id").first()
    if twin is None or (item.imported_at is not None and (twin.imported_at or now()) > item.imported_at):
        return None
    return str(twin.key)
