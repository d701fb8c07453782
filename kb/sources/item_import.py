"""Importing what was read of an item: its articles and its state are stored in one transaction."""

import hashlib
import re
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.gate_check import try_import
from kb.importing.importer import ImportReport, import_documents, import_drafts, preview_import
from kb.importing.parsed_document import Document, Failure, UnchangedDocument
from kb.models import Article, State
from kb.services import archive_where
from kb.sources.models import COMPARED, Source, SourceItem
from kb.sources.ownership import ours, twin_of
from kb.sources.ports import Read
from kb.sources.runs import LeaseLost

# Increase it when reading improves: everything is then read again once, and embedded only if its text has changed.
READERS: Final = "11"
MOST_REASONS: Final = 5  # reasons kept per item, and lines about the categories
GATE_SECONDS: Final = 30.0  # for one item, with a second search for the cases that fail; shorter than the run's lease
_ROW: Final = re.compile(r":\d+\Z")  # the row number in the origin of a CSV or JSON Lines entry
ItemState, Outcome = SourceItem.State, SourceItem.Outcome


def digest_of(file: Path) -> str:
    """Return a value that changes if the file's content changes, or with a new version of the readers."""
    with file.open("rb") as stream:
        return f"{READERS}:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def is_of_this_release(digest: str) -> bool:
    """Return whether the stored content was read by this version's readers; also true if nothing is stored ("")."""
    return not digest or digest.startswith(f"{READERS}:")


def known_entries(item: SourceItem) -> dict[str, str]:
    """Return the digests of the files in a zip that need not be read again unless they change: this version has read
    them, and nobody has deleted or archived their articles since.
    """
    if not item.entries or not item.content_hash.startswith(f"{READERS}:"):
        return {}
    rows = Article.objects.filter(source_item=item).exclude(state=State.ARCHIVED).values_list("external_id", flat=True)
    here = set(rows)
    return {name: entry["digest"] for name, entry in item.entries.items() if name in here}


def settle(item: SourceItem, state: str, outcome: str, reason: str = "", **facts: Any) -> None:
    """Record what became of an item."""
    SourceItem.objects.filter(pk=item.pk).update(state=state, outcome=outcome, reason=reason, updated_at=now(), **facts)


def store(
    source: Source, item: SourceItem, read: Read, facts: dict[str, Any], *, is_check: bool, asks_gates: bool = False
) -> list[UUID]:
    """Store an item's documents and return the ids of its articles; a dry run only records what would happen.

    Raises InvalidDocument if nothing can be stored, GatesRefuse if the gates reject it, LeaseLost if the item is gone.
    """
    documents = [document for document in read.items if isinstance(document, Document)]
    failures = [_named(item, failure) for failure in read.items if isinstance(failure, Failure)]
    unchanged_ids = [one.external_id for one in read.items if isinstance(one, UnchangedDocument)]
    if not documents and not unchanged_ids:
        raise InvalidDocument(_item_reason(failures) or gettext("The page or file has no text."))
    text_hash = _hash_with_unchanged(item, documents, unchanged_ids) if read.entries else _text_hash(documents)
    facts = {**facts, "entries": _entries(item, read, documents), "text_hash": text_hash}
    if _has_same_text(item, documents, unchanged_ids, text_hash):  # only its boilerplate changed; edits are kept
        refused = ours(source, item, documents)[1]
        # Only these notes are stored: they disappear when `requeue_refused` has the item read again.
        lasting = [failure for failure in refused if failure.external_id in (item.refused or ())]
        others = [*_notes_of(item, unchanged_ids), *_notes_in(documents)]
        notes = _item_reason([*failures, *lasting, *others])
        more = {} if is_check else {**facts, "notes": notes}
        settle(item, ItemState.UNCHANGED, Outcome.UNCHANGED, _item_reason([*failures, *refused, *others]), **more)
        return []
    if (twin := twin_of(source, item, text_hash)) is not None:
        _leave_out(item, gettext("The page or file has the same text as {url}").format(url=twin), is_check=is_check)
        return []
    asks_gates = asks_gates and source.publishes and bool(documents) and not is_check
    untried = _ask_gates(source, ours(source, item, documents)[0]) if asks_gates else []
    with transaction.atomic():
        _lock(item)
        return _import(
            source,
            item,
            documents,
            facts,
            is_check=is_check,
            failures=failures,
            unchanged_ids=unchanged_ids,
            untried=untried,
        )


def _import(
    source: Source,
    item: SourceItem,
    documents: Sequence[Document],
    facts: dict[str, Any],
    *,
    is_check: bool,
    failures: Sequence[Failure],
    unchanged_ids: Sequence[str],
    untried: Sequence[Failure],
) -> list[UUID]:
    """Import the documents of a locked item, and settle it."""
    wanted, refused = ours(source, item, documents)
    report = _imported(source, [*wanted, *refused], is_check=is_check)
    gone = [] if is_check else _link(source, item, wanted, report, _unread(source, item, unchanged_ids, failures))
    outcome = _outcome(item, report, has_vanished=bool(gone), has_unchanged=bool(unchanged_ids))
    lasting = [*failures, *refused, *_notes_of(item, unchanged_ids)]
    reason = _item_reason([*lasting, *untried], report)
    title = documents[0].wording.title if len(documents) == 1 and not unchanged_ids else ""
    more: dict[str, Any] = {} if is_check else {"refused": [failure.external_id for failure in refused] or None}
    if outcome == Outcome.BROKEN:
        settle(item, ItemState.FAILED, outcome, reason, title=documents[0].wording.title, **more)
        return []
    if not is_check:
        more |= {**facts, "imported_at": item.imported_at or now(), "archived_at": None}
        more |= {"notes": _item_reason(lasting, report), "vanished": _vanished(item, gone, wanted)}
    elif item.imported_at is None:
        more["text_hash"] = facts["text_hash"]
    settle(item, _state_of(outcome, is_check=is_check), outcome, reason, title=title, **more)
    return report.article_ids


def _state_of(outcome: str, *, is_check: bool) -> str:
    if outcome == Outcome.UNCHANGED:
        return ItemState.UNCHANGED
    return ItemState.READY if is_check else ItemState.EMBEDDING


def _vanished(item: SourceItem, gone: Sequence[str], here: Sequence[Document]) -> list[str] | None:
    """Return the ids of articles that the item had and no longer contains."""
    ids = {*(item.vanished or ()), *gone}
    if item.archived_at is not None:  # its articles were archived with it, and only some of them may be back
        ids |= set(Article.objects.filter(source_item=item).values_list("external_id", flat=True))
    return sorted(ids - {document.external_id for document in here}) or None


def _lock(item: SourceItem) -> None:
    """Lock an item. Raises LeaseLost if it has been deleted because the address of its source was changed."""
    if not list(SourceItem.objects.select_for_update(no_key=True).filter(pk=item.pk).values_list("pk")):
        raise LeaseLost


def _ask_gates(source: Source, documents: Sequence[Document]) -> list[Failure]:
    """Run the gates; return what to report if they accept the documents. Raises GatesRefuse."""
    verdict = try_import(documents, collection=source.collection.name, seconds=GATE_SECONDS)
    text = gettext("Gate cases skipped because time ran out: {number}.")
    return [Failure("", text.format(number=verdict.untried))] if verdict.untried else []


def _imported(source: Source, items: Sequence[Document | Failure], *, is_check: bool) -> ImportReport:
    if is_check:
        return preview_import(items, collection=source.collection.name)
    store_all = import_documents if source.publishes else import_drafts
    return store_all(items, collection=source.collection.name)


def _entries(item: SourceItem, read: Read, documents: Sequence[Document]) -> dict[str, Any]:
    """Return what to remember about the files in a zip."""
    known: dict[str, Any] = item.entries
    entries = {name: {**known[name], "digest": digest} for name, digest in read.entries.items() if name in known}
    for document in documents:
        if digest := read.entries.get(document.external_id, ""):
            facts = {"digest": digest, "text": _text_hash([document]), "notes": list(document.notes)}
            entries[document.external_id] = facts
    return entries


def _hash_with_unchanged(item: SourceItem, documents: Sequence[Document], unchanged_ids: Sequence[str]) -> str:
    """Return the hash of all texts in a zip file, including those that were not read again."""
    texts = {document.external_id: _text_hash([document]) for document in documents}
    texts |= {name: item.entries[name]["text"] for name in unchanged_ids}
    return hashlib.sha256("\0".join(f"{name}\0{texts[name]}" for name in sorted(texts)).encode()).hexdigest()


def _has_same_text(
    item: SourceItem, documents: Sequence[Document], unchanged_ids: Sequence[str], text_hash: str
) -> bool:
    is_here = item.imported_at is not None and item.archived_at is None
    # Earlier versions stored the hash of the documents' texts for zip files, too.
    return is_here and (text_hash == item.text_hash or (not unchanged_ids and _text_hash(documents) == item.text_hash))


def _unread(source: Source, item: SourceItem, unchanged_ids: Sequence[str], failures: Sequence[Failure]) -> set[UUID]:
    """Return the articles whose text was not read, because their file is unchanged or cannot be read now."""
    ids = {*unchanged_ids, *(one.external_id or one.origin.removeprefix(f"{item.key}/") for one in failures)}
    # Origins are compared as well, since files can set their own ids. A row's id is better, as its number may change.
    places = {_origin(source, one.origin) for one in failures if not one.external_id}
    rows = Article.objects.filter(source_item=item).values_list("pk", "external_id", "origin")
    return {pk for pk, name, origin in rows if name in ids or not places.isdisjoint((origin, _ROW.sub("", origin)))}


def _named(item: SourceItem, failure: Failure) -> Failure:
    """Return a failure, with the name of the file if it is in a zip."""
    inside = failure.origin.removeprefix(f"{item.key}/")
    return failure if inside == failure.origin else replace(failure, message=f"{inside}: {failure.message}")


def _notes_of(item: SourceItem, unchanged_ids: Sequence[str]) -> list[Failure]:
    return [Failure(name, note) for name in unchanged_ids for note in item.entries[name]["notes"]]


def _link(
    source: Source, item: SourceItem, documents: Sequence[Document], report: ImportReport, unread: Set[UUID]
) -> list[str]:
    """Link the articles to their item; archive those that the item no longer contains, and return their external ids.
    `unread` are the articles whose text was not read.
    """
    places = {document.external_id: document.origin or item.key for document in documents}
    articles = list(Article.objects.filter(pk__in=report.article_ids))
    for article in articles:
        article.source_item, article.origin = item, _origin(source, places.get(article.external_id, item.key))
    Article.objects.bulk_update(articles, ["source_item", "origin"], batch_size=200)
    rows = Article.objects.filter(source_item=item).exclude(pk__in=report.article_ids).exclude(state=State.ARCHIVED)
    others = rows.exclude(external_id__in=places).values_list("pk", "external_id")
    gone = {pk: external_id for pk, external_id in others if pk not in unread}
    archive_where(Q(pk__in=gone))
    return list(gone.values())


def _origin(source: Source, place: str) -> str:
    return place[:2000] if place.startswith(("http://", "https://")) else f"{source.name}: {place}"[:2000]


def _notes_in(documents: Sequence[Document]) -> list[Failure]:
    return [Failure(document.origin, note) for document in documents for note in document.notes]


def _outcome(item: SourceItem, report: ImportReport, *, has_vanished: bool, has_unchanged: bool) -> str:
    if not has_unchanged and not report.count("new") + report.count("updated") + report.count("unchanged"):
        return Outcome.BROKEN
    if report.count("new") and item.imported_at is None:
        return Outcome.NEW
    is_changed = report.count("new") or report.count("updated") or has_vanished or item.archived_at is not None
    return Outcome.CHANGED if is_changed else Outcome.UNCHANGED


def _leave_out(item: SourceItem, reason: str, *, is_check: bool) -> None:
    is_here = item.imported_at is not None and item.archived_at is None
    state, outcome = (ItemState.GONE, Outcome.GONE) if is_here else (ItemState.LEFT_OUT, Outcome.LEFT_OUT)
    settle(item, state, outcome, reason, **({} if is_check else dict.fromkeys(COMPARED, "")))


def _text_hash(documents: Sequence[Document]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        metadata = (document.locale, document.audience, document.category, document.state)
        digest.update(f"{document.wording.title}\0{document.wording.body.strip()}\0{metadata}\0".encode())
        if document.phrasings is not None:
            digest.update(f"{document.phrasings}\0".encode())
    return digest.hexdigest()


def _item_reason(failures: Sequence[Failure], report: ImportReport | None = None) -> str:
    """Return reasons and notes in a few lines."""
    notes = [note for item in report.items for note in item.notes] if report else []
    lines = list(dict.fromkeys([*(failure.message for failure in failures), *notes]))
    more = len(lines) - MOST_REASONS
    return "\n".join([*lines[:MOST_REASONS], *([f"… +{more}"] if more > 0 else [])])


def settle_embedded(source: Source | None = None) -> int:
    """Mark items as ready if their articles have all their vectors; return how many."""
    rows = SourceItem.objects.filter(state=ItemState.EMBEDDING)
    if source is not None:
        rows = rows.filter(source=source)
    behind = Article.objects.filter(source_item__isnull=False, live_revision__isnull=False, state="live").exclude(
        indexed_revision=F("live_revision__number")
    )
    return int(rows.exclude(pk__in=behind.values("source_item")).update(state=ItemState.READY, updated_at=now()))
