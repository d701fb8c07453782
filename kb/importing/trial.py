"""What the gates say to an import, before anything is stored."""

from collections.abc import Sequence

from kb.documents import Document
from kb.importing.importer import import_documents
from kb.ports import Touched, Verdict, verdict_on


def try_import(documents: Sequence[Document], *, collection: str, seconds: float) -> Verdict:
    """Return how far the gates agree to importing and publishing these documents. Raises GatesRefuse.

    Articles' rows are locked for up to `seconds`.
    """
    touched = {one.external_id: Touched(one.wording, one.locale or "", one.phrasings or ()) for one in documents}
    return verdict_on(lambda: import_documents(documents, collection=collection), touched, seconds=seconds)
