"""Which item of a source may write an article: of two files with one id, or two pages with one text, only one."""

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.documents import Document, Failure
from kb.models import Article, State
from kb.sources.models import Source, SourceItem, SourceRun

ItemState, Outcome = SourceItem.State, SourceItem.Outcome


def ours(source: Source, item: SourceItem, documents: Sequence[Document]) -> tuple[list[Document], list[Failure]]:
    """Return the documents that this item may write, and why it may not write the others."""
    ids = [document.external_id for document in documents]
    rows = Article.objects.filter(external_id__in=ids).select_related("source_item")
    known = {article.external_id: article for article in rows}
    wanted: list[Document] = []
    refused: list[Failure] = []
    for document in documents:
        problem = _problem(source, item, known.get(document.external_id))
        if problem:
            refused.append(Failure(document.origin, problem))
        else:
            wanted.append(replace(document, audience=source.audience or document.audience))
    return wanted, refused


def _problem(source: Source, item: SourceItem, article: Article | None) -> str:
    if article is None:
        return ""
    owner = article.source_item
    if owner is not None and owner.pk != item.pk and owner.source_id != source.pk:
        return gettext("The article “{id}” already comes from another source.").format(id=article.external_id)
    if owner is not None and owner.pk != item.pk and owner.archived_at is None and owner.state != ItemState.GONE:
        return gettext("{path} already uses the id “{id}”. Use another id for one of them.").format(
            path=owner.key, id=article.external_id
        )
    if owner is None and article.collection_id != source.collection_id:
        return gettext("An article in the collection {name} already has the id “{id}”.").format(
            name=article.collection.name, id=article.external_id
        )
    is_ours = owner is not None and owner.pk == item.pk
    if is_ours and article.state == State.ARCHIVED and item.archived_at is None:
        return gettext("The article was archived here. Publish it to resume updates.")
    return ""


def twin_of(source: Source, item: SourceItem, text_hash: str) -> str | None:
    """Return the key of another item of the source with the same text, if that is the one to keep."""
    others = SourceItem.objects.filter(source=source, text_hash=text_hash).exclude(pk=item.pk)
    alive = others.filter(Q(outcome__in=(Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED)) | Q(state=ItemState.QUEUED))
    # An item that this run has not found is gone, so its text may have moved here. A retry does not list any items.
    is_retry = item.run is not None and item.run.mode == SourceRun.Mode.RETRY
    here = alive.filter(imported_at__isnull=False) if is_retry else alive.filter(run=item.run)
    # Of two items with the same text, the older one is kept.
    twin = here.order_by("imported_at", "id").first()
    if twin is None or (item.imported_at is not None and (twin.imported_at or now()) > item.imported_at):
        return None
    return str(twin.key)
