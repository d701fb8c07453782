"""The transcript of a conversation: who said what and when, with sources and receipts.

Made from the events that the customer sees, in the conversation's language, or in English if we have no other.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import EventView
from supportbot.language.detection import base_language

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Conversation with {workspace}",
        "id": "Conversation ID: {id}",
        "times": "Times are in {zone}.",
        "customer": "You",
        "assistant": "Assistant (AI)",
        "system": "Note",
        "agent": "Our team",
        "sources": "Sources:",
        "receipt.order": "Order",
        "receipt.amount": "Amount",
        "receipt.to": "To",
        "receipt.address": "Address",
        "receipt.reference": "Reference",
        "failed": "The assistant could not answer.",
        "stopped": "(stopped)",
        "handoff.requested": "Someone from our team was requested.",
        "handoff.joined": "{agent} has joined the conversation.",
        "handoff.ended": "The conversation with our team has ended.",
        "action.proposed": "Prepared, waiting for your confirmation: {title}",
        "action.refused": "Not possible: {title}",
        "action.awaiting_approval": "Confirmed, waiting for a colleague's approval: {title}",
        "action.queued": "Confirmed, being carried out: {title}",
        "action.succeeded": "Done: {title}",
        "action.failed": "Not done: {title}",
        "action.unknown": "Outcome unknown so far: {title}",
        "action.cancelled": "Withdrawn: {title}",
        "action.expired": "Expired, nothing was done: {title}",
        "action.rejected": "Not approved, nothing was done: {title}",
    },
    "de": {
        "title": "Gespräch mit {workspace}",
        "id": "Gesprächsnummer: {id}",
        "times": "Zeitangaben in {zone}.",
        "customer": "Sie",
        "assistant": "Assistent (KI)",
        "system": "Hinweis",
        "agent": "Unser Team",
        "sources": "Quellen:",
        "receipt.order": "Bestellung",
        "receipt.amount": "Betrag",
        "receipt.to": "An",
        "receipt.address": "Adresse",
        "receipt.reference": "Beleg",
        "failed": "Der Assistent konnte nicht antworten.",
        "stopped": "(abgebrochen)",
        "handoff.requested": "Jemand aus unserem Team wurde angefordert.",
        "handoff.joined": "{agent} ist jetzt im Gespräch.",
        "handoff.ended": "Das Gespräch mit unserem Team ist beendet.",
        "action.proposed": "Vorbereitet, wartet auf Ihre Bestätigung: {title}",
        "action.refused": "Nicht möglich: {title}",
        "action.awaiting_approval": "Bestätigt, wartet auf die Freigabe eines Kollegen: {title}",
        "action.queued": "Bestätigt, wird ausgeführt: {title}",
        "action.succeeded": "Erledigt: {title}",
        "action.failed": "Nicht erledigt: {title}",
        "action.unknown": "Ergebnis noch unbekannt: {title}",
        "action.cancelled": "Zurückgezogen: {title}",
        "action.expired": "Abgelaufen, nichts wurde getan: {title}",
        "action.rejected": "Nicht freigegeben, nichts wurde getan: {title}",
    },
}
_RECEIPT: Final = ("order", "amount", "to", "address", "reference")


def transcript_of(conversation: Conversation) -> str:
    """Return the transcript as the customer may read it."""
    words = WORDS.get(base_language(conversation.locale), WORDS["en"])
    workspace = conversation.workspace
    zone = _zone(workspace.timezone)
    head = [
        words["title"].format(workspace=workspace.name),
        words["id"].format(id=conversation.pk),
        words["times"].format(zone=zone),
    ]
    return "\n".join([*head, "", *written(_events(conversation), words, zone)])


def _zone(name: str) -> tzinfo:
    """Return a time zone; UTC if the name is unknown."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _events(conversation: Conversation) -> Iterator[EventView]:
    seq = 0
    while page := events_after(conversation.pk, seq):
        yield from page
        seq = page[-1].seq


def written(events: Iterable[EventView], words: dict[str, str], zone: tzinfo) -> Iterator[str]:
    """Yield the lines of these events, with a blank line after each."""
    for event in events:
        entry = _entry(event, words)
        if entry is not None:
            who, lines = entry
            yield f"[{event.created_at.astimezone(zone):%Y-%m-%d %H:%M}] {who}"
            yield from lines
            yield ""


def _entry(event: EventView, words: dict[str, str]) -> tuple[str, list[str]] | None:
    """Return author and lines; None for an event that does not appear in transcripts."""
    payload = event.payload
    match event.event:
        case "message":
            return payload.get("author") or words[payload["source"]], [payload["text"]]
        case "assistant.final":
            return words["assistant"], _answer(payload, words)
        case "assistant.failed":
            return words["assistant"], [words["failed"]]
        case name if name.startswith("action.") and name in words:
            return words["system"], _step(name, payload, words)
        case name if name in words:
            return words["system"], [words[name].format(agent=payload.get("agent", ""))]
        case _:
            return None


def _answer(payload: dict[str, Any], words: dict[str, str]) -> list[str]:
    lines = [payload["text"]] if payload["text"] else []
    lines += [words["stopped"]] if payload.get("stopped") else []
    sources = [
        f"  [{number}] {source['title']} {source['url']}".rstrip()
        for number, source in enumerate(payload["citations"], start=1)
    ]
    return lines + ([words["sources"], *sources] if sources else [])


def _step(name: str, payload: dict[str, Any], words: dict[str, str]) -> list[str]:
    lines = [words[name].format(title=payload["title"])]
    lines += [f"  {row['label']}: {row['value']}" for row in payload.get("rows", ())]
    if "reason" in payload:
        lines.append(f"  {payload['reason']['text']}")
    return lines + _receipt(payload.get("receipt") or {}, words)


def _receipt(receipt: dict[str, Any], words: dict[str, str]) -> list[str]:
    """Return the fields of a receipt, one a line, in a fixed order (JSON in the database has none)."""
    fields = {name: receipt.get(name) for name in _RECEIPT}
    if fields["amount"]:
        fields["amount"] = f"{fields['amount']} {receipt.get('currency', '')}".strip()
    return [f"  {words[f'receipt.{name}']}: {value}" for name, value in fields.items() if value]
