"""How a request reads: made from its row, in the customer's language, never from a model's words.

The payloads here are those of the `action.*` events, so that chat, desk and REST show the same.
"""

from datetime import datetime
from typing import Any

from actions.models import ActionRequest
from actions.reasons import Reason, sentence
from actions.registry import all_actions
from actions.spec import Face, WriteAction, label


def title_of(action: str, locale: str) -> str:
    """Return what an action is called; of one that the code no longer has, its name in words."""
    spec = all_actions().get(action)
    return label(locale, spec.title["en"], spec.title["de"]) if spec else action.replace("_", " ").capitalize()


def face_of(request: ActionRequest, locale: str = "") -> Face:
    """Return title, summary, button and rows; of an action that the code no longer has, its name."""
    spec, locale = all_actions().get(request.action), locale or request.locale
    if isinstance(spec, WriteAction) and request.shown:
        return spec.face(request.arguments, request.shown, locale)
    # Refused before the merchant's facts made it complete: there is nothing to show but what it is.
    title = title_of(request.action, locale)
    return Face(title=title, summary=title, button=title, rows=())


def reason_of(request: ActionRequest, locale: str = "") -> dict[str, str] | None:
    """Return {"code", "text"}, or None where the request needs no explanation."""
    if not request.reason_code:
        return None
    reason = Reason(request.reason_code, request.reason_facts)
    return {"code": reason.code, "text": sentence(reason, locale or request.locale)}


def proposed_payload(request: ActionRequest) -> dict[str, Any]:
    """Return what `action.proposed` carries."""
    face = face_of(request)
    return {
        "request": str(request.pk),
        "action": request.action,
        "title": face.title,
        "summary": face.summary,
        "button": face.button,
        "rows": [{"label": row.label, "value": row.value} for row in face.rows],
        "arguments": request.arguments,
        "digest": request.digest,
        "expires_at": _moment(request.expires_at),
        "needs_approval": request.needs_approval,
    }


def _moment(at: datetime | None) -> str | None:
    """Return a moment as the REST API writes it, so that a client compares the two as they are."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def state_payload(request: ActionRequest) -> dict[str, Any]:
    """Return what `action.queued`, `.succeeded` and the others carry; the event's name is the request's state."""
    payload: dict[str, Any] = {"request": str(request.pk), "action": request.action, "title": face_of(request).title}
    reason = reason_of(request)
    if reason:
        payload["reason"] = reason
    if request.receipt is not None:
        payload["receipt"] = request.receipt
    return payload
