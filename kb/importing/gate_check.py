"""Running the gates on an import before anything is stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from django.utils.translation import gettext

from kb.importing.importer import import_documents
from kb.importing.parsed_document import Document, Failure
from kb.models import Article
from kb.ports import ChangedContent, Verdict, verdict_on
from kb.services import default_locale
from kb.validation import language_of


def try_import(documents: Sequence[Document], *, collection: str, seconds: float) -> Verdict:
    """Return the gates' verdict on importing and publishing these documents. Raises GatesRefuse.

    The articles' rows are locked for up to `seconds`.
    """
    touched = _touched(documents)
    return verdict_on(lambda: import_documents(documents, collection=collection), touched, seconds=seconds)


def _touched(documents: Sequence[Document]) -> dict[str, ChangedContent]:
    """Return the documents as articles, by external id, in the languages that they will have."""
    default, names = default_locale(), [one.external_id for one in documents]
    stored = dict(Article.objects.filter(external_id__in=names).values_list("external_id", "locale"))
    found = {}
    for one in documents:
        locale = one.locale or stored.get(one.external_id) or language_of(one.wording, default)
        found[one.external_id] = ChangedContent(one.wording, locale, one.phrasings or ())
    return found


def without_pictures(items: Iterable[Document | Failure]) -> dict[str, Document]:
    """Return the first document with each id, by id. Pictures are left out, since they would fill the memory."""
    found: dict[str, Document] = {}
    for item in items:
        if isinstance(item, Document):
            found.setdefault(item.external_id, replace(item, pictures=()))
    return found


def as_tried(items: Iterable[Document | Failure], tried: Mapping[str, Document]) -> Iterator[Document | Failure]:
    """Yield the items, read again with their pictures; a document that has changed since the gates ran becomes a
    failure.
    """
    seen: set[str] = set()
    for item in items:
        if isinstance(item, Document) and item.external_id not in seen:
            seen.add(item.external_id)
            if replace(item, pictures=()) != tried.get(item.external_id):
                message = gettext("The file changed while the gates were running. Import it again.")
                item = Failure(item.origin, message)
        yield item
