"""The texts that show a request, in the customer's language. They are built from the request's row, never from a
model's text.

The `action.*` events use the payloads below, so chat, desk and REST show the same texts.
"""

from datetime import datetime
from typing import Any

from actions.models import ActionRequest
from actions.reasons import Reason, sentence
from actions.registry import action_as_made, action_in_force
from actions.spec import Card, Row, WriteAction
from actions.states import State
from actions.team_reasons import team_sentence
from supportbot.translation import msgid, text_in


def title_of(action: str, locale: str) -> str:
    """Return an action's title, or its name in words if the action no longer exists in the code."""
    spec = action_in_force(action)
    return spec.title_in(locale) if spec else action.replace("_", " ").capitalize()


def title_of_request(request: ActionRequest, locale: str) -> str:
    """Return the title of the action version that the request was made with."""
    spec = action_as_made(request.action, request.spec_version)
    return spec.title_in(locale) if spec else title_of(request.action, locale)


def receipt_title(request: ActionRequest, locale: str) -> str:
    """Return the title of a receipt: what was done or requested, in the words of the request's action version."""
    spec = action_as_made(request.action, request.spec_version)
    if request.state == State.SUCCEEDED and isinstance(spec, WriteAction):
        return spec.done_in(locale)
    words = msgid("Done: {title}") if request.state == State.SUCCEEDED else msgid("Your request: {title}")
    return text_in(locale, words, title=title_of_request(request, locale))


def receipt_rows(request: ActionRequest, locale: str = "") -> list[Row]:
    """Return a defined action's receipt with its labels; empty for a built-in action, whose fields clients label."""
    spec = action_as_made(request.action, request.spec_version)
    if not isinstance(spec, WriteAction) or not request.receipt:
        return []
    return spec.receipt_rows(request.receipt, locale or request.locale)


def card_of(request: ActionRequest, locale: str = "") -> Card:
    """Return the request's card; it has only a title if the action no longer exists in the code."""
    spec, locale = action_as_made(request.action, request.spec_version), locale or request.locale
    if isinstance(spec, WriteAction) and request.shown:
        return spec.card(request.arguments, request.shown, locale)
    # The request was refused before it was completed with the merchant's data, so there is only a title to show.
    title = title_of_request(request, locale)
    return Card(title=title, summary=title, button=title, rows=())


def whole_text(card: Card) -> str:
    """Return everything that a card says as one string, for checking whether the card is still as someone saw it."""
    parts = [card.title, *(f"{row.label}: {row.value}" for row in card.rows)]
    return " ".join("; ".join(parts).split())  # white space in the form in which browsers send it back


def reason_of(request: ActionRequest, locale: str = "") -> dict[str, str] | None:
    """Return {"code", "text"}, or None if the request needs no explanation."""
    if not request.reason_code:
        return None
    reason = Reason(request.reason_code, request.reason_facts)
    return {"code": reason.code, "text": sentence(reason, locale or request.locale)}


def team_reason_of(request: ActionRequest) -> str:
    """Return the reason for a colleague, in the active language, or "" if the request needs no explanation."""
    return team_sentence(Reason(request.reason_code, request.reason_facts)) if request.reason_code else ""


def proposed_payload(request: ActionRequest) -> dict[str, Any]:
    """Return the payload of `action.proposed`."""
    card = card_of(request)
    return {
        "request": str(request.pk),
        "action": request.action,
        "title": card.title,
        "summary": card.summary,
        "button": card.button,
        "rows": [{"label": row.label, "value": row.value} for row in card.rows],
        "arguments": request.arguments,
        "digest": request.digest,
        "expires_at": iso_datetime(request.expires_at),
        "needs_approval": request.needs_approval,
        **_language(request),
        **({"note": card.note} if card.note else {}),
        **({"undoes": str(request.undoes)} if request.undoes else {}),
    }


def _language(request: ActionRequest) -> dict[str, str]:
    """Return the locale of a payload's texts; a client shows its own words around them in the same locale."""
    return {"locale": request.locale} if request.locale else {}


def iso_datetime(at: datetime | None) -> str | None:
    """Return a time in the REST API's format, so that clients can compare it with times from the API."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def state_payload(request: ActionRequest) -> dict[str, Any]:
    """Return the payload of `action.queued`, `.succeeded` and so on; the event is named after the request's state."""
    payload: dict[str, Any] = {
        "request": str(request.pk),
        "action": request.action,
        "title": card_of(request).title,
        **_language(request),
    }
    reason = reason_of(request)
    if reason:
        payload["reason"] = reason
    if request.held_until is not None:
        payload["held_until"] = iso_datetime(request.held_until)
    if request.receipt is not None:
        payload["receipt"] = request.receipt
        if rows := receipt_rows(request):
            payload["receipt_rows"] = [{"label": row.label, "value": row.value} for row in rows]
    return payload
