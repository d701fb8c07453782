"""The answer of a turn and its payload in the log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """The characters of a revision's body that an answer cites."""

    article_id: UUID
    external_id: str
    title: str
    url: str
    revision: int
    start: int
    end: int
    quote: str
    page: int | None = None  # in the file from which the article was created

    def as_payload(self) -> dict[str, Any]:
        payload = {
            "article": str(self.article_id),
            "external_id": self.external_id,
            "title": self.title,
            "url": self.url,
            "revision": self.revision,
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
        }
        return payload if self.page is None else {**payload, "page": self.page}


@dataclass(frozen=True, slots=True)
class OfferedPage:
    """A help page about a similar topic, offered when the assistant has no answer; it is not a source."""

    article_id: UUID
    external_id: str
    title: str
    url: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "article": str(self.article_id),
            "external_id": self.external_id,
            "title": self.title,
            "url": self.url,
        }


@dataclass(frozen=True, slots=True)
class Withheld:
    """A withheld sentence, the check that withheld it, and how well the sources support it (None if unknown)."""

    code: str
    text: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that ends a turn."""

    text: str
    citations: tuple[CitedSpan, ...]
    by: str  # model or builtin
    is_abstention: bool = False
    offers_human: bool = False
    is_stopped: bool = False
    is_confirmed: bool | None = None  # whether our articles support it; None for an answer without claims
    withheld: tuple[Withheld, ...] = ()
    blocks: tuple[Mapping[str, Any], ...] = ()  # buttons and forms (`chat.blocks`)
    courtesy: str = ""  # the courtesy that it answers, if the customer asked nothing
    release: UUID | None = None  # the release that produced it
    pages: tuple[OfferedPage, ...] = ()  # the help pages that an abstention offers, which its text lists
    locale: str = ""  # the locale of its text and blocks; empty if it was stopped before the question was read

    @property
    def is_withheld(self) -> bool:
        """Return whether the checks withheld the whole answer. This does not mean that the articles have a gap."""
        return self.is_abstention and bool(self.withheld)


def final_payload(message_id: UUID, answer: Answer) -> dict[str, Any]:
    """Return the payload of `assistant.final`."""
    payload = {
        "message": str(message_id),
        "text": answer.text,
        "citations": [span.as_payload() for span in answer.citations],
        "abstained": answer.is_abstention,
        "offers_human": answer.offers_human,
        "by": answer.by,
    }
    if answer.locale:
        payload["locale"] = answer.locale
    if answer.is_confirmed is not None:
        payload["confirmed"] = answer.is_confirmed
    if answer.pages:
        payload["pages"] = [page.as_payload() for page in answer.pages]
    if answer.blocks:
        payload["blocks"] = list(answer.blocks)
    return payload | ({"stopped": True} if answer.is_stopped else {})
