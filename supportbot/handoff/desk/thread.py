"""A conversation as the desk shows it: one line per event of its log, including internal ones."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from supportbot.accounts.models import User
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import EventView
from supportbot.handoff.desk.labels import REASONS, avatar_hue, initials
from supportbot.handoff.models import Reason

MAX_LINES: Final = 200
_OUTCOMES: Final = {
    "customer": "The customer ended the chat",
    "returned": "Returned to the assistant",
    "resolved": "Resolved",
    "expired": "Expired: nobody took it in time, the assistant answers again",
}
_ACTIONS: Final = {
    "action.proposed": "proposed, not confirmed yet",
    "action.refused": "not possible",
    "action.awaiting_approval": "confirmed by the customer, waiting for approval",
    "action.queued": "accepted, about to run",
    "action.succeeded": "done",
    "action.failed": "failed",
    "action.unknown": "outcome not known yet",
    "action.cancelled": "withdrawn",
    "action.expired": "expired",
    "action.rejected": "rejected by a colleague",
}


@dataclass(frozen=True, slots=True)
class Source:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """One message or event as plain text. `kind`: customer, assistant, agent, me, note, system or rule."""

    seq: int
    kind: str
    speaker: str
    initials: str
    hue: int
    text: str
    icon: str
    sources: tuple[Source, ...]
    said_at: datetime
    request: str = ""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "said_at": self.said_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of the lines, with names the log does not contain. `person` is an id, as names may repeat."""

    person: str
    name: str
    customer: str
    customer_initials: str
    customer_hue: int
    hue: int


def reader_of(conversation: Conversation, person: User) -> Reader:
    customer = conversation.customer
    return Reader(
        str(person.pk),
        person.display_name,
        str(customer),
        initials(customer.name),
        avatar_hue(customer.pk),
        avatar_hue(person.pk),
    )


def lines_of(conversation: Conversation, reader: Reader) -> list[Line]:
    """Return the newest lines including internal notes, oldest first."""
    start = max(0, conversation.last_seq - MAX_LINES)
    return lines_in(events_after(conversation.pk, start, is_staff=True), reader)


def lines_in(events: Iterable[EventView], reader: Reader) -> list[Line]:
    return [line for event in events if (line := line_of(event, reader)) is not None]


def line_of(event: EventView, reader: Reader) -> Line | None:
    """Return the line of an event; None if it is not worth showing, such as the start of an answer."""
    payload = event.payload
    match event.event:
        case "message":
            return _message(event, reader)
        case "assistant.final":
            return _line(
                event, "assistant", "Assistant", text=_answer(payload), icon="assist", sources=_sources(payload)
            )
        case "assistant.failed":
            return _rule(event, "The assistant could not answer", "alert")
        case "handoff.requested":
            reason = REASONS.get(payload["reason"], REASONS[Reason.OTHER])
            return _rule(event, f"Handed over: {reason[0].lower()}{reason[1:]}", "people")
        case "handoff.joined":
            who = "You" if _is_readers_own(reader, payload, payload["agent"]) else payload["agent"]
            return _rule(event, f"{who} joined", "person")
        case "handoff.ended":
            outcome = "customer" if payload.get("by") == "customer" else payload["outcome"]
            return _rule(event, _OUTCOMES[outcome], "check")
        case name if name in _ACTIONS:
            return _action(event)
    return None


def _message(event: EventView, reader: Reader) -> Line:
    payload = event.payload
    match payload["source"]:
        case "customer":
            who = reader.customer
            return _line(event, "customer", who, text=payload["text"], initials=reader.customer_initials,
                         hue=reader.customer_hue)  # fmt: skip
        case "agent":
            return _agent_line(event, reader)
        case _:
            return _line(event, "system", "Notice", text=payload["text"])


def _is_readers_own(reader: Reader, payload: Mapping[str, Any], name: str) -> bool:
    """Return whether the reader is the author; events of older versions only have the name."""
    return payload["person"] == reader.person if "person" in payload else name == reader.name


def _agent_line(event: EventView, reader: Reader) -> Line:
    author, text = event.payload.get("author", "A colleague"), event.payload["text"]
    is_mine = _is_readers_own(reader, event.payload, author)
    if not event.is_public:
        return _line(event, "note", "You" if is_mine else author, text=text, icon="lock")
    hue = reader.hue if is_mine else 0
    kind, speaker = ("me", "You") if is_mine else ("agent", author)
    return _line(event, kind, speaker, text=text, initials=initials(author), hue=hue)


def _answer(payload: dict[str, Any]) -> str:
    return f"{payload['text']} (stopped)" if payload.get("stopped") else str(payload["text"])


def _sources(payload: dict[str, Any]) -> tuple[Source, ...]:
    titles = {one["title"]: Source(one["title"], _safe_url(one.get("url", ""))) for one in payload.get("citations", ())}
    return tuple(titles.values())


def _safe_url(url: str) -> str:
    """Return the URL if it leads to a web page, else ""; imported articles may contain anything."""
    return url if url.startswith(("https://", "http://", "/")) and not url.startswith("//") else ""


def _action(event: EventView) -> Line:
    payload = event.payload
    text = f"{payload.get('title', payload['action'])}: {_ACTIONS[event.event]}"
    reason = payload.get("reason")
    if reason and event.event != "action.queued":
        text = f"{text}. {reason['text']}"
    return _rule(event, text, "card", request=payload["request"])


def _rule(event: EventView, text: str, icon: str, *, request: str = "") -> Line:
    return _line(event, "rule", "", text=text, icon=icon, request=request)


def _line(
    event: EventView,
    kind: str,
    speaker: str,
    *,
    text: str,
    icon: str = "",
    initials: str = "",
    hue: int = 0,
    sources: tuple[Source, ...] = (),
    request: str = "",
) -> Line:
    return Line(event.seq, kind, speaker, initials, hue, text, icon, sources, event.created_at, request)
