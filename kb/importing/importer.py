"""The import of many documents, whether they are new, changed or unchanged.

Documents come one by one from a loader and are stored in batches, each in one transaction with a few statements, so
that importing a thousand articles takes little more time than reading them. An unreadable item is reported and does not
stop the others. Nothing is embedded here: `kb.indexing.sync.sync_articles` does that afterwards.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from kb.categories import current_names, note_categories
from kb.collections import collection_named, default_name
from kb.importing.extra_fields import METADATA, as_draft, differs, link_translations, set_extras
from kb.importing.parsed_document import Document, Failure
from kb.importing.pictures import store_pictures
from kb.indexing.full_text import fill_search_vectors
from kb.models import Article, Audience, Collection, State
from kb.revisions import announce_changes, lock_articles, publish_articles, save_articles, set_metadata, write_revisions
from kb.services import default_locale
from kb.validation import ArticleText, check_article_text, language_of

DOCUMENTS_PER_COMMIT = 50

Outcome = Literal["new", "updated", "unchanged", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("new", "updated", "unchanged", "failed")
Items = Iterable[Document | Failure]
# The collection for each external id of a batch; None if unspecified.
Places = Mapping[str, Collection | None]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The outcome of one item; `message` says why it failed and what to do; `notes` say what was left out.

    In a preview, `before` and `after` are the current and the new text of an article that would change.
    """

    outcome: Outcome
    origin: str
    external_id: str = ""
    message: str = ""
    title: str = ""
    notes: tuple[str, ...] = ()
    before: ArticleText | None = None
    after: ArticleText | None = None


@dataclass(slots=True)
class ImportReport:
    """The outcome of every item, in order, and the articles of the readable items."""

    items: list[ItemResult] = field(default_factory=list)
    article_ids: list[UUID] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        return sum(item.outcome == outcome for item in self.items)

    @property
    def failures(self) -> list[ItemResult]:
        return [item for item in self.items if item.outcome == "failed"]


def import_documents(items: Items, *, collection: str = "") -> ImportReport:
    """Import and publish documents into the current workspace; known external ids are updated, never duplicated.

    Documents go to `collection` or, if it is not given, to their own collection. If neither is given, new documents go
    to the default collection and known ones stay where they are. A document with the state draft is stored as a draft.
    """
    return _stored(items, collection, publishes=_publishes_itself)


def import_drafts(items: Items, *, collection: str = "") -> ImportReport:
    """Like `import_documents`, but new texts are stored as drafts: what customers read does not change."""
    return _stored(items, collection, publishes=lambda document: False)


def preview_import(items: Items, *, collection: str = "") -> ImportReport:
    """Return the report that `import_documents` would return, without storing anything."""
    return _in_batches(items, lambda group: _preview(group, collection))


def _stored(items: Items, collection: str, *, publishes: Callable[[Document], bool]) -> ImportReport:
    """Import in batches, and link translations at the end, since a source may come after its translation."""
    wanted: dict[str, str] = {}

    def store_batch(group: Sequence[Document]) -> ImportReport:
        documents, report = _store(group, collection, publishes=publishes)
        wanted.update({one.external_id: one.translation_of for one in documents if one.translation_of is not None})
        return report

    report = _in_batches(items, store_batch)
    if wanted:
        problems, linked = link_translations(wanted)
        report.items = [_with_link(item, problems, linked) for item in report.items]
    return report


def _with_link(item: ItemResult, problems: Mapping[str, str], linked: Container[str]) -> ItemResult:
    if item.external_id in problems:
        return replace(item, notes=(*item.notes, problems[item.external_id]))
    is_changed = item.outcome == "unchanged" and item.external_id in linked
    return replace(item, outcome="updated") if is_changed else item


def _in_batches(items: Items, handle: Callable[[Sequence[Document]], ImportReport]) -> ImportReport:
    report = ImportReport()
    readable = _readable(items, report)
    while group := list(islice(readable, DOCUMENTS_PER_COMMIT)):
        done = handle(group)
        report.items += done.items
        report.article_ids += done.article_ids
    return report


def _readable(items: Items, report: ImportReport) -> Iterator[Document]:
    """Yield the documents; report failures, and ids already used in this run."""
    origins: dict[str, str] = {}
    for item in items:
        if isinstance(item, Failure):
            report.items.append(ItemResult("failed", item.origin, message=item.message))
        elif item.external_id in origins:
            message = gettext(
                "The id “{id}” was already used by {file} in this import. Use another id for one of them."
            ).format(id=item.external_id, file=origins[item.external_id])
            report.items.append(ItemResult("failed", item.origin, item.external_id, message))
        else:
            origins[item.external_id] = item.origin
            yield item


@transaction.atomic
def _store(
    group: Sequence[Document],
    collection_name: str,
    *,
    publishes: Callable[[Document], bool],
) -> tuple[list[Document], ImportReport]:
    """Store a batch; return its documents as they were applied, and the report."""
    group = _in_current_terms(group)
    note_categories(document.category or "" for document in group)
    names = {name for document in group if (name := collection_name or document.collection)}
    collections = {name: collection_named(name) for name in sorted(names)}
    places = {document.external_id: collections.get(collection_name or document.collection or "") for document in group}
    made = _insert_missing(group, places)
    articles = {row.external_id: row for row in lock_articles(Q(external_id__in=[d.external_id for d in group]))}
    # Pictures come after the articles, as when an editor saves an article with a picture; the opposite order could
    # cause a deadlock.
    pairs = [(document, articles[document.external_id]) for document in store_pictures(group)]
    kept = {a.external_id for d, a in pairs if a.is_live and not publishes(d)}  # only their draft changes
    pairs = [(as_draft(d, a, places[d.external_id]) if d.external_id in kept else d, a) for d, a in pairs]
    places = {name: None if name in kept else place for name, place in places.items()}
    changed_texts = [(article, document.wording) for document, article in pairs if _is_text_changed(article, document)]
    new_words = {article.pk for article, _ in changed_texts}
    due = [a for d, a in pairs if publishes(d) and (a.pk in new_words or _is_unpublished(a))]
    changed = _apply_metadata([pair for pair in pairs if pair[1].pk not in made], places, due)
    write_revisions(changed_texts)
    if due:
        publish_articles(due)
    pairs, renamed = set_extras(pairs)
    touched = new_words | changed | renamed | {article.pk for article in due}
    return [document for document, _ in pairs], ImportReport(
        [_result(_outcome(article.pk, made, touched), d) for d, article in pairs],
        [article.pk for _, article in pairs],
    )


def _preview(group: Sequence[Document], collection_name: str) -> ImportReport:
    rows = Article.objects.filter(external_id__in=[document.external_id for document in group])
    known = {
        row.external_id: row
        for row in rows.select_related("latest_revision", "live_revision", "collection", "translation_of")
    }
    report = ImportReport()
    for document in _in_current_terms(group):
        article = known.get(document.external_id)
        target = collection_name or document.collection
        moved = article is not None and bool(target) and article.collection.name.casefold() != str(target).casefold()
        outcome: Outcome = "new"
        before: ArticleText | None = None
        if article is not None:
            if article.is_live and not _publishes_itself(document):
                elsewhere = Collection(name=str(target)) if moved else None  # it may not exist yet
                document, moved = as_draft(document, article, elsewhere), False
            is_changed = _is_text_changed(article, document) or _changed_metadata(article, document, None)
            is_same = not (is_changed or moved or differs(article, document))
            waits = _publishes_itself(document) and _is_unpublished(article)
            outcome = "unchanged" if is_same and not waits else "updated"
            before = _text_before(article, document)
        result = _result(outcome, document)
        report.items.append(replace(result, before=before, after=document.wording) if before else result)
    return report


def _in_current_terms(group: Sequence[Document]) -> list[Document]:
    """Return the documents with the current names of their categories."""
    names = current_names(document.category or "" for document in group)
    return [replace(one, category=names.get(one.category or "", one.category)) for one in group]


def _text_before(article: Article, document: Document) -> ArticleText | None:
    """Return the text that customers read, or a draft's newest text; None if the document has the same text."""
    shown = article.live_revision if article.is_live else article.latest_revision
    before = ArticleText(shown.title, shown.body) if shown else None
    return None if before == document.wording else before


def _result(outcome: Outcome, document: Document) -> ItemResult:
    return ItemResult(
        outcome, document.origin, document.external_id, title=document.wording.title, notes=document.notes
    )


def _outcome(pk: UUID, made: set[UUID], touched: set[UUID]) -> Outcome:
    if pk in made:
        return "new"
    return "updated" if pk in touched else "unchanged"


def _insert_missing(group: Sequence[Document], places: Places) -> set[UUID]:
    """Insert missing articles and return their ids, except for those that someone else has just created."""
    wanted = {document.external_id: document for document in group}
    there = set(Article.objects.filter(external_id__in=wanted).values_list("external_id", flat=True))
    locale = default_locale()
    missing = [document for key, document in wanted.items() if key not in there]
    default = collection_named(default_name()) if any(places[d.external_id] is None for d in missing) else None
    rows = [_article_of(document, places[document.external_id] or default, locale) for document in missing]
    Article.objects.bulk_create(rows, ignore_conflicts=True)
    return set(Article.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))


def _article_of(document: Document, collection: Collection | None, locale: str) -> Article:
    return Article(
        external_id=document.external_id,
        collection=collection,
        locale=document.locale or language_of(document.wording, locale),
        audience=document.audience or Audience.PUBLIC,
        on_help_pages=document.on_help_pages is not False,
        for_assistant=document.for_assistant is not False,
        category=document.category or "",
        url=document.url or "",
    )


def _is_text_changed(article: Article, document: Document) -> bool:
    latest = article.latest_revision
    if latest is None:
        return True
    if (latest.title, latest.body_hash) == (document.wording.title, document.wording.body_hash):
        return False
    return check_article_text(latest.title, latest.body) != document.wording  # older releases trimmed less white space


def _changed_metadata(article: Article, document: Document, collection: Collection | None) -> dict[str, object]:
    given = {name: value for name in METADATA if (value := getattr(document, name)) is not None}
    wanted: dict[str, object] = given if collection is None else {**given, "collection": collection}
    return {name: value for name, value in wanted.items() if getattr(article, name) != value}


def _apply_metadata(pairs: Sequence[tuple[Document, Article]], places: Places, due: Sequence[Article]) -> set[UUID]:
    """Save changed metadata, announce the live articles affected, and return the ids of all changed articles.

    `due` are those whose newest text will be published right afterwards.
    """
    changes = {
        article: _changed_metadata(article, document, places[document.external_id]) for document, article in pairs
    }
    changed = [article for article, facts in changes.items() if facts]
    for article in changed:
        set_metadata(article, changes[article], keeps_text=article not in due)
    save_articles(changed, *METADATA, "collection", "published_revisions")
    live = [article for article in changed if article.is_live]
    announce_changes(live)
    fill_search_vectors([article.pk for article in live if "locale" in changes[article]])
    return {article.pk for article in changed}


def _is_unpublished(article: Article) -> bool:
    return article.state != State.LIVE or article.live_revision_id != article.latest_revision_id


def _publishes_itself(document: Document) -> bool:
    return document.state != State.DRAFT
