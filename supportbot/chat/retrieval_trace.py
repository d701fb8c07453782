"""What an answer is based on: its search and the results, stored in the answer's event and visible only to the team."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from supportbot.chat.answers import Withheld
from supportbot.chat.models import Conversation, ConversationEvent

FIELD: Final = "reading"  # the trace's key in the payload of `assistant.final`
# `person` is the id of the agent who wrote or joined, because two agents may have the same name.
_TEAM_ONLY: Final = frozenset({FIELD, "person"})


@dataclass(frozen=True, slots=True)
class TracedPassage:
    """A passage as ranked at the time of the search. `similarity` is None if only its words matched."""

    article: str
    title: str
    heading: str
    revision: int
    score: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class RetrievalTrace:
    """The query of a turn and the passages found, best first.

    `withheld` is the text that the checks withheld from the answer. `is_confirmed` says whether the passages support
    the answer as a whole; it is None for an answer that makes no claims.
    """

    query: str
    passages: tuple[TracedPassage, ...]
    withheld: tuple[Withheld, ...] = ()
    is_confirmed: bool | None = None
    guidelines: tuple[str, ...] = ()  # the guidelines that the model says it followed


def with_trace(payload: dict[str, Any], trace: RetrievalTrace | None) -> dict[str, Any]:
    """Return an answer's payload with the trace added."""
    return payload | ({FIELD: asdict(trace)} if trace else {})


def for_customers(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an event's payload without the fields that only the team sees."""
    return {name: value for name, value in payload.items() if name not in _TEAM_ONLY}


def traces_of(conversation: Conversation) -> dict[UUID, RetrievalTrace]:
    """Return the trace of each answer, keyed by the answer's message id."""
    events = ConversationEvent.objects.filter(conversation=conversation, event="assistant.final")
    payloads = events.filter(payload__has_key=FIELD).values_list("payload", flat=True)
    return {UUID(payload["message"]): found for payload in payloads if (found := trace_in(payload))}


def trace_in(payload: Mapping[str, Any]) -> RetrievalTrace | None:
    """Return the trace in an answer's payload.

    Return None for a customer's view and for payloads of earlier versions, which have none.
    """
    if FIELD not in payload:
        return None
    stored = payload[FIELD]
    return RetrievalTrace(
        stored["query"],
        tuple(TracedPassage(**one) for one in stored["passages"]),
        tuple(Withheld(**one) for one in stored.get("withheld", ())),
        stored.get("is_confirmed"),
        tuple(stored.get("guidelines", ())),
    )
