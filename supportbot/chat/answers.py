"""What a turn ends with: how an answer is told in the log, and kept as a message with its citations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from supportbot.chat.models import Citation, Conversation, Message, Source


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A place in a revision that an answer rests on; characters of its body."""

    article_id: UUID
    external_id: str
    title: str
    url: str
    revision: int
    start: int
    end: int
    quote: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "article": str(self.article_id),
            "external_id": self.external_id,
            "title": self.title,
            "url": self.url,
            "revision": self.revision,
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
        }


@dataclass(frozen=True, slots=True)
class Withheld:
    """A sentence that was not shown: by which check, and how far the sources bore it (None where nobody could tell)."""

    code: str
    text: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn ends with."""

    text: str
    citations: tuple[CitedSpan, ...]
    by: str  # model or builtin
    is_abstention: bool = False
    offers_human: bool = False
    is_stopped: bool = False
    is_confirmed: bool | None = None  # whether our pages bear it; None for one without a claim
    withheld: tuple[Withheld, ...] = ()
    blocks: tuple[Mapping[str, Any], ...] = ()  # what it asks for by buttons and forms (`chat.blocks`)

    @property
    def is_held_back(self) -> bool:
        """Whether there was an answer of which the checks left nothing: no gap in the articles."""
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
    if answer.is_confirmed is not None:
        payload["confirmed"] = answer.is_confirmed
    if answer.blocks:
        payload["blocks"] = list(answer.blocks)
    return payload | ({"stopped": True} if answer.is_stopped else {})


def store_message(conversation: Conversation, message_id: UUID, seq: int, answer: Answer) -> None:
    """Keep the answer whose `assistant.final` has the number `seq`."""
    message = Message.objects.create(
        id=message_id,
        conversation=conversation,
        seq=seq,
        source=Source.ASSISTANT,
        text=answer.text,
        by=answer.by,
        is_abstention=answer.is_abstention,
        is_held_back=answer.is_held_back,
    )
    if answer.citations:
        Citation.objects.bulk_create(_citation_rows(message, answer))


def _citation_rows(message: Message, answer: Answer) -> list[Citation]:
    return [
        Citation(
            message=message,
            position=position,
            article_id=span.article_id,
            external_id=span.external_id,
            title=span.title,
            url=span.url,
            revision=span.revision,
            start=span.start,
            end=span.end,
            quote=span.quote,
        )
        for position, span in enumerate(answer.citations, start=1)
    ]
