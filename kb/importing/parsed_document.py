"""What an import reads: its documents with their pictures, and the items that could not be read or did not change."""

from dataclasses import dataclass, replace

from kb.validation import ArticleText
from supportbot.accounts.stored_pictures import StoredPicture


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture of a document. The document's text uses the address that the picture will have once it is stored."""

    picture: StoredPicture
    address: str
    reference: str = ""  # the address in the file, used if the picture cannot be stored; "" if there is none


@dataclass(frozen=True, slots=True)
class Document:
    """One item of an import. None means "not specified": the stored value is kept."""

    external_id: str
    wording: ArticleText
    origin: str = ""
    url: str | None = None
    locale: str | None = None
    audience: str | None = None
    category: str | None = None
    on_help_pages: bool | None = None
    for_assistant: bool | None = None
    collection: str | None = None
    state: str | None = None
    address: str | None = None  # the name in its help page's address
    translation_of: str | None = None  # the external id of its source
    phrasings: tuple[str, ...] | None = None
    pictures: tuple[NamedPicture, ...] = ()
    # Notes for the person who imports the file, on content that was left out or guessed.
    notes: tuple[str, ...] = ()

    def at(self, origin: str) -> "Document":
        """Return the document with the location that it was read from."""
        return replace(self, origin=origin)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that could not be read: its location, and one message that says what is wrong and what to do."""

    origin: str
    message: str
    external_id: str = ""  # of the article that it would have become, if known


@dataclass(frozen=True, slots=True)
class UnchangedDocument:
    """A document that was not read again, because its file has not changed since the last run of its source."""

    external_id: str
    origin: str = ""
