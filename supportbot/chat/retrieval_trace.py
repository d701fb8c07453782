"""What the assistant had before it when it answered: part of the answer's own event, in the team's view alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from supportbot.chat.answers import Withheld
from supportbot.chat.models import Conversation, ConversationEvent

FIELD: Final = "reading"  # of the payload of `assistant.final`
# `person` is who of the team wrote or joined, by id: two may have the same name.
_TEAM_ONLY: Final = frozenset({FIELD, "person"})


@dataclass(frozen=True, slots=True)
class TracedPassage:
    """A passage as search ranked it then. `similarity` is none for one that was found by its words alone."""

    article: str
    title: str
    heading: str
    revision: int
    score: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class RetrievalTrace:
    """What was looked for, and the passages that were found, best first.

    `withheld` is what the checks kept back of the answer, `is_confirmed` whether the passages bear it as a whole; None
    for an answer that claims nothing.
    """

    query: str
    passages: tuple[TracedPassage, ...]
    withheld: tuple[Withheld, ...] = ()
    is_confirmed: bool | None = None


def with_trace(payload: dict[str, Any], trace: RetrievalTrace | None) -> dict[str, Any]:
    """Return the payload of an answer with what it was made from."""
    return payload | ({FIELD: asdict(trace)} if trace else {})


def for_customers(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of any event without what only the team sees of it."""
    return {name: value for name, value in payload.items() if name not in _TEAM_ONLY}


def traces_of(conversation: Conversation) -> dict[UUID, RetrievalTrace]:
    """Return what each answer was made from, by the answer's message id."""
    events = ConversationEvent.objects.filter(conversation=conversation, event="assistant.final")
    payloads = events.filter(payload__has_key=FIELD).values_list("payload", flat=True)
    return {UUID(payload["message"]): found for payload in payloads if (found := trace_in(payload))}


def trace_in(payload: Mapping[str, Any]) -> RetrievalTrace | None:
    """Return what the answer of this payload was made from; None in a customer's view, and of earlier versions."""
    if FIELD not in payload:
        return None
    told = payload[FIELD]
    return RetrievalTrace(
        told["query"],
        tuple(TracedPassage(**one) for one in told["passages"]),
        tuple(Withheld(**one) for one in told.get("withheld", ())),
        told.get("is_confirmed"),
    )
