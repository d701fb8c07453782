"""Properties that an import sets in addition to text and metadata: the page's address, curated questions, and the
source of a translation.

A problem with one of these properties is reported with the item, but the item's text is still imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.help_centre.slugs import check_free_slug, rename
from kb.importing.parsed_document import Document
from kb.models import Article, Collection
from kb.phrasings import answered_elsewhere, embed_phrasings, phrasings_of, set_phrasings
from kb.translations import check_source, translate
from kb.validation import SWITCHES

METADATA: Final = ("url", "locale", "audience", "category", *SWITCHES)
Pairs = Sequence[tuple[Document, Article]]


def differs(article: Article, document: Document) -> bool:
    """Return whether an import would change an article's address, questions or source."""
    is_other = _has_new_address(article, document) or _has_new_phrasings(article, document)
    return is_other or _has_new_source(article, document)


def as_draft(document: Document, article: Article, collection: Collection | None) -> Document:
    """Return a document that changes only the draft of a live article, and not its readers, language, address,
    questions or collection. A note lists those that would have changed.
    """
    facts = {name: getattr(document, name) not in (None, getattr(article, name)) for name in METADATA}
    found = {
        **facts,
        "collection": collection is not None and collection != article.collection,
        "page_address": _has_new_address(article, document),
        "phrasings": _has_new_phrasings(article, document),
        "translation_of": _has_new_source(article, document),
    }
    kept = [name for name, is_new in found.items() if is_new]
    notes = document.notes
    if kept:
        text = gettext(
            "Left unchanged, because the article is live and this is a draft: {fields}. Change them in the editor, or "
            "publish the import."
        )
        notes = (*notes, text.format(fields=", ".join(kept)))
    kept_as_they_are: dict[str, Any] = dict.fromkeys(
        (*METADATA, "collection", "address", "phrasings", "translation_of")
    )
    return replace(document, notes=notes, **kept_as_they_are)


def set_extras(pairs: Pairs) -> tuple[list[tuple[Document, Article]], set[UUID]]:
    """Set the addresses and questions of stored articles, in the caller's transaction.

    Returns the pairs, with notes about addresses that are taken, and the ids of changed articles.
    """
    saved, changed = [], set[UUID]()
    for document, article in pairs:
        if document.address is not None and _has_new_address(article, document):
            try:
                rename(article, check_free_slug(document.address, article=article))
                changed.add(article.pk)
            except InvalidDocument as refusal:
                document = replace(
                    document, notes=(*document.notes, f"page_address {document.address}: {refusal.message}")
                )
        if document.phrasings is not None and _has_new_phrasings(article, document):
            set_phrasings(article, document.phrasings)
            changed.add(article.pk)
            document = replace(document, notes=(*document.notes, *_also_answered(article, document.phrasings)))
        saved.append((document, article))
    if changed:
        transaction.on_commit(embed_phrasings)
    return saved, changed


@transaction.atomic
def link_translations(wanted: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """Link articles to their sources, both given by external id. Return why articles were not linked, and the ids of
    those that were.
    """
    ids = {*wanted, *wanted.values()}
    known = {row.external_id: row for row in Article.objects.filter(external_id__in=ids).order_by("pk")}
    problems, linked = dict[str, str](), set[str]()
    for external_id, source_id in wanted.items():
        article, source = known.get(external_id), known.get(source_id)
        if article is None or (source is not None and article.translation_of_id == source.pk):
            continue
        try:
            translate(article, check_source(source, article))
            linked.add(external_id)
        except InvalidDocument as refusal:
            problems[external_id] = f"translation_of {source_id}: {refusal.message}"
    return problems, linked


def _has_new_source(article: Article, document: Document) -> bool:
    """Return whether the document refers to a new source that exists."""
    source = article.translation_of.external_id if article.translation_of else None
    if document.translation_of in (None, source):
        return False
    return Article.objects.filter(external_id=document.translation_of).exists()


def _also_answered(article: Article, phrasings: Sequence[str]) -> list[str]:
    text = gettext("“{question}” is also answered by “{title}”. Remove it there or here.")
    return [
        text.format(question=other.text, title=other.article.title) for other in answered_elsewhere(article, phrasings)
    ]


def _has_new_address(article: Article, document: Document) -> bool:
    return document.address not in (None, article.slug)


def _has_new_phrasings(article: Article, document: Document) -> bool:
    return document.phrasings is not None and set(document.phrasings) != set(phrasings_of(article))
