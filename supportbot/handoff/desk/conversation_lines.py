"""A conversation as shown at the desk: one line per event of its log, including internal events."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from actions.cards import card_of
from actions.models import ActionRequest
from actions.reasons import Reason as ActionReason
from actions.team_reasons import team_sentence
from supportbot.accounts.models import User
from supportbot.chat.answer_html import answer_html
from supportbot.chat.blocks import shown_blocks
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import EventView
from supportbot.handoff.desk.labels import avatar_hue, initials
from supportbot.handoff.desk.ticket_reasons import REASONS
from supportbot.handoff.models import Reason
from supportbot.team_formats import active_language, labelled

MAX_LINES: Final = 200
_NO_HTML: Final = SafeString()
_OUTCOMES: Final = {
    "customer": gettext_noop("The customer ended the chat"),
    "returned": gettext_noop("Returned to the assistant"),
    "resolved": gettext_noop("Resolved"),
    "expired": gettext_noop("Expired: nobody took it in time, so the assistant answers again"),
}
_ACTIONS: Final = {
    "action.proposed": gettext_noop("proposed, not confirmed yet"),
    "action.refused": gettext_noop("not possible"),
    "action.awaiting_approval": gettext_noop("confirmed by the customer, waiting for approval"),
    "action.queued": gettext_noop("accepted, about to run"),
    "action.succeeded": gettext_noop("done"),
    "action.failed": gettext_noop("failed"),
    "action.unknown": gettext_noop("outcome not known yet"),
    "action.cancelled": gettext_noop("withdrawn"),
    "action.expired": gettext_noop("expired"),
    "action.rejected": gettext_noop("rejected by a colleague"),
}


HAPPY: Final = 4  # scores from here up to five count as happy
RATING_REASONS: Final = {
    "wrong": gettext_noop("not true"),
    "off_topic": gettext_noop("not what was asked"),
    "incomplete": gettext_noop("something is missing"),
    "unclear": gettext_noop("hard to understand"),
}


@dataclass(frozen=True, slots=True)
class Source:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """One message or event as plain text. The assistant's answers also have HTML.

    `kind` is customer, assistant, agent, me, note, system or rule.
    """

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
    is_mine: bool = False
    html: SafeString = _NO_HTML

    def as_json(self) -> dict[str, Any]:
        left_out = {"is_mine"} if self.html else {"is_mine", "html"}
        shown = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {**shown, "said_at": self.said_at.isoformat()}


@dataclass(frozen=True, slots=True)
class Reader:
    """The person who reads the lines, and the names that are not in the log.

    `person` is an id, because names are not unique.
    """

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
    """Return a conversation's newest lines, including internal notes, oldest first."""
    start = max(0, conversation.last_seq - MAX_LINES)
    events = events_after(conversation.pk, start, is_staff=True)
    requests = requests_of(events)
    return [line for event in events if (line := line_of(event, reader, requests)) is not None]


def lines_after(conversation_id: UUID, seq: int, reader: Reader) -> list[tuple[EventView, Line | None]]:
    """Return the events after `seq`, oldest first, each with its line."""
    events = events_after(conversation_id, seq, is_staff=True)
    requests = requests_of(events)
    return [(event, line_of(event, reader, requests)) for event in events]


def requests_of(events: Iterable[EventView]) -> Mapping[str, ActionRequest]:
    """Return the action requests that these events refer to, by id. They are needed because the log has their texts
    only in the customer's language.
    """
    ids = {event.payload["request"] for event in events if event.event in _ACTIONS}
    return {str(one.pk): one for one in ActionRequest.objects.filter(pk__in=ids)} if ids else {}


def line_of(event: EventView, reader: Reader, requests: Mapping[str, ActionRequest]) -> Line | None:
    """Return the line for an event, or None if the event is not shown, such as the start of an answer.

    `requests` are the action requests that the event refers to, by id. If one is missing, its text comes from the log.
    """
    payload = event.payload
    match event.event:
        case "message":
            return _message(event, reader)
        case "assistant.final":
            return _line(
                event,
                "assistant",
                gettext("Assistant"),
                text=_answer(payload),
                icon="assist",
                sources=_sources(payload),
                html=_answer_html(payload),
            )
        case "assistant.failed":
            return _rule(event, gettext("The assistant could not answer"), "alert")
        case "handoff.requested":
            reason = gettext(REASONS.get(payload["reason"], REASONS[Reason.OTHER]))
            return _rule(event, gettext("Handed over. {reason}").format(reason=reason), "people")
        case "handoff.joined":
            if _is_readers_own(reader, payload, payload["agent"]):
                return _rule(event, gettext("You joined"), "person")
            return _rule(event, gettext("{name} joined").format(name=payload["agent"]), "person")
        case "handoff.ended":
            outcome = "customer" if payload.get("by") == "customer" else payload["outcome"]
            return _rule(event, gettext(_OUTCOMES[outcome]), "check")
        case "rated":
            return _rule(event, rating_in_words(payload), "check" if payload["score"] >= HAPPY else "alert")
        case name if name in _ACTIONS:
            return _action(event, requests.get(payload["request"]))
    return None


def rating_in_words(payload: Mapping[str, Any]) -> str:
    """Return a customer's rating of an answer or a conversation, with the reason and the comment."""
    is_answer = "message" in payload
    about = gettext("Rated an answer {score} out of 5") if is_answer else gettext("Rated the chat {score} out of 5")
    reason = RATING_REASONS.get(payload.get("reason", ""), "")
    parts = [about.format(score=payload["score"]), gettext(reason) if reason else "", payload.get("comment", "")]
    return ": ".join(part for part in parts if part)


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
            return _line(event, "system", gettext("Notice"), text=payload["text"])


def _is_readers_own(reader: Reader, payload: Mapping[str, Any], name: str) -> bool:
    """Return whether the reader is the author. Events from older versions have only the author's name."""
    return payload["person"] == reader.person if "person" in payload else name == reader.name


def _agent_line(event: EventView, reader: Reader) -> Line:
    author, text = event.payload.get("author") or gettext("A colleague"), with_blocks(event.payload)
    is_mine = _is_readers_own(reader, event.payload, author)
    if not event.is_public:
        return _line(event, "note", gettext("You") if is_mine else author, text=text, icon="lock", is_mine=is_mine)
    hue = reader.hue if is_mine else 0
    kind, speaker = ("me", gettext("You")) if is_mine else ("agent", author)
    return _line(
        event,
        kind,
        speaker,
        text=text,
        initials=initials(author),
        hue=hue,
        sources=_sources(event.payload),
        is_mine=is_mine,
    )


def _answer(payload: dict[str, Any]) -> str:
    text = with_blocks(payload)
    return gettext("{text} (stopped)").format(text=text) if payload.get("stopped") else text


def _answer_html(payload: dict[str, Any]) -> SafeString:
    """Return an answer as its customer sees it.

    Only the answer's own text is read as Markdown, because cards contain data from elsewhere.
    """
    beside = _cards(payload)
    if payload.get("stopped"):
        beside.append(gettext("{text} (stopped)").format(text="").strip())
    return answer_html(str(payload["text"])) + format_html_join("", "<p>{}</p>", ((one,) for one in beside))


def _cards(payload: Mapping[str, Any]) -> list[str]:
    return [
        "\n".join([title, *(f"{row['label']}: {row['value']}" for row in rows)])
        for title, _url, rows in shown_blocks(payload)
    ]


def with_blocks(payload: Mapping[str, Any]) -> str:
    """Return a message's text followed by the rows of its cards and receipts."""
    cards = _cards(payload)
    text = str(payload["text"])
    is_title = bool(cards) and cards[0].partition("\n")[0] == text  # an agent sent the card without other text
    return "\n\n".join(cards if is_title else [text, *cards]).strip()


def _sources(payload: dict[str, Any]) -> tuple[Source, ...]:
    titles = {one["title"]: Source(one["title"], _safe_url(one.get("url", ""))) for one in payload.get("citations", ())}
    links = {title: Source(title, _safe_url(url)) for title, url, _rows in shown_blocks(payload) if url}
    return tuple((titles | links).values())


def _safe_url(url: str) -> str:
    """Return the URL if it leads to a web page, otherwise "". Imported articles may contain any kind of URL."""
    return url if url.startswith(("https://", "http://", "/")) and not url.startswith("//") else ""


def _action(event: EventView, request: ActionRequest | None) -> Line:
    payload, language = event.payload, active_language()
    title = card_of(request, language).title if request else payload.get("title", payload["action"])
    text, reason = labelled(title, gettext(_ACTIONS[event.event])), payload.get("reason")
    if reason and event.event != "action.queued":
        known = team_sentence(ActionReason(reason["code"], request.reason_facts)) if request else reason["text"]
        text = f"{text}. {known}"
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
    is_mine: bool = False,
    html: SafeString = _NO_HTML,
) -> Line:
    return Line(event.seq, kind, speaker, initials, hue, text, icon, sources, event.created_at, request, is_mine, html)
