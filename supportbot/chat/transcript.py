"""The transcript of a conversation: messages with authors and times, sources and receipts.

It consists of the events that the customer sees, in the conversation's language, or in English if there is no
translation.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

from actions.money import Money, format_money, parse_amount
from supportbot.chat.blocks import shown_blocks
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.signals import EventView
from supportbot.formats import format_moment
from supportbot.translation import msgid, text_in, with_label

_TEXTS: Final[dict[str, str]] = {
    "title": msgid("Conversation with {workspace}"),
    "id": msgid("Conversation ID: {id}"),
    "times": msgid("Times are in {zone}."),
    # Translators: these four precede a message in a transcript.
    "customer": msgid("You"),
    "assistant": msgid("Assistant (AI)"),
    "system": msgid("Note"),
    "agent": msgid("Our team"),
    "sources": msgid("Sources:"),
    "receipt.order": msgid("Order"),
    "receipt.amount": msgid("Amount"),
    "receipt.to": msgid("Refunded to"),
    "receipt.address": msgid("Address"),
    "receipt.reference": msgid("Reference"),
    "failed": msgid("The assistant could not answer."),
    "stopped": msgid("(stopped)"),
    "handoff.requested": msgid("Someone from our team was asked to join."),
    "handoff.joined": msgid("{agent} has joined the conversation."),
    "handoff.ended": msgid("The conversation with our team has ended."),
    "action.proposed": msgid("Prepared, waiting for your confirmation: {title}"),
    "action.refused": msgid("Not possible: {title}"),
    "action.awaiting_approval": msgid("Confirmed, waiting for a colleague's approval: {title}"),
    "action.queued": msgid("Confirmed, being carried out: {title}"),
    "action.held": msgid("Confirmed, will be sent at {time} unless you withdraw it: {title}"),
    "action.succeeded": msgid("Done: {title}"),
    "action.failed": msgid("Not done: {title}"),
    "action.unknown": msgid("Outcome not known yet: {title}"),
    "action.cancelled": msgid("Withdrawn: {title}"),
    "action.expired": msgid("Expired, nothing was done: {title}"),
    "action.rejected": msgid("Not approved, nothing was done: {title}"),
}
_RECEIPT: Final = ("order", "amount", "to", "address", "reference")


def transcript_of(conversation: Conversation) -> str:
    """Return the transcript as the customer may read it."""
    language = customer_language(conversation)
    workspace = conversation.workspace
    zone = workspace.zone
    head = [
        _said(language, "title", workspace=workspace.name),
        _said(language, "id", id=conversation.pk),
        _said(language, "times", zone=zone),
    ]
    return "\n".join([*head, "", *written(_events(conversation), language, zone)])


def _said(language: str, name: str, **values: object) -> str:
    return text_in(language, _TEXTS[name], **values)


def _events(conversation: Conversation) -> Iterator[EventView]:
    seq = 0
    while page := events_after(conversation.pk, seq):
        yield from page
        seq = page[-1].seq


def written(events: Iterable[EventView], language: str, zone: tzinfo) -> Iterator[str]:
    """Yield the lines for these events, with a blank line after each event."""
    for event in events:
        entry = _entry(event, language, zone)
        if entry is not None:
            who, lines = entry
            yield f"[{format_moment(event.created_at.astimezone(zone), language)}] {who}"
            yield from lines
            yield ""


def _entry(event: EventView, language: str, zone: tzinfo) -> tuple[str, list[str]] | None:
    """Return an event's author and lines; None if it does not appear in transcripts."""
    payload = event.payload
    match event.event:
        case "message":
            who = payload.get("author") or _said(language, payload["source"])
            return who, [payload["text"], *_blocks(payload, language)]
        case "assistant.final":
            return _said(language, "assistant"), _answer(payload, language)
        case "assistant.failed":
            return _said(language, "assistant"), [_said(language, "failed")]
        case name if name.startswith("action.") and name in _TEXTS:
            return _said(language, "system"), _step(name, payload, language, zone)
        case name if name in _TEXTS:
            return _said(language, "system"), [_said(language, name, agent=payload.get("agent", ""))]
        case _:
            return None


def _answer(payload: dict[str, Any], language: str) -> list[str]:
    lines = [payload["text"]] if payload["text"] else []
    lines += [_said(language, "stopped")] if payload.get("stopped") else []
    sources = [
        f"  [{number}] {source['title']} {source['url']}".rstrip()
        for number, source in enumerate(payload["citations"], start=1)
    ]
    return [*lines, *_blocks(payload, language), *([_said(language, "sources"), *sources] if sources else [])]


def _blocks(payload: dict[str, Any], language: str) -> list[str]:
    """Return the cards and receipts of a message; buttons and forms are in its text."""
    return [
        line
        for title, url, rows in shown_blocks(payload)
        for line in (f"  {title} {url}".rstrip(), *_rows(rows, language))
    ]


def _step(name: str, payload: dict[str, Any], language: str, zone: tzinfo) -> list[str]:
    lines = [_said(language, name, title=payload["title"])]
    if "held_until" in payload:
        time = format_moment(datetime.fromisoformat(payload["held_until"]).astimezone(zone), language)
        lines = [_said(language, "action.held", time=time, title=payload["title"])]
    lines += _rows(payload.get("rows", ()), language)
    if "reason" in payload:
        lines.append(f"  {payload['reason']['text']}")
    # A defined action's receipt has its own labels.
    return lines + (
        _rows(payload.get("receipt_rows", ()), language) or _receipt(payload.get("receipt") or {}, language)
    )


def _rows(rows: Iterable[dict[str, str]], language: str) -> list[str]:
    return [f"  {with_label(language, row['label'], row['value'])}" for row in rows]


def _receipt(receipt: dict[str, Any], language: str) -> list[str]:
    """Return a receipt's fields, one per line.

    Their order is fixed here, because JSON objects in the database have no order.
    """
    fields = {name: receipt.get(name) for name in _RECEIPT}
    if fields["amount"]:
        fields["amount"] = _amount(str(fields["amount"]), receipt.get("currency", ""), language)
    return [
        f"  {with_label(language, _said(language, f'receipt.{name}'), value)}"
        for name, value in fields.items()
        if value
    ]


def _amount(text: str, currency: str, language: str) -> str:
    amount = parse_amount(text)
    return format_money(Money(amount, currency), language) if amount and currency else f"{text} {currency}".strip()
