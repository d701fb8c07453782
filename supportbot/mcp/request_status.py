"""A request's state for external agents, both in MCP's terms and in ours, with sentences for the customer."""

from typing import Any, Final

from actions.cards import card_of, reason_of, receipt_rows
from actions.models import ActionRequest
from actions.states import State
from supportbot.assistant.outcome_messages import explanation
from supportbot.translation import text_in

STATUS: Final[dict[State, str]] = {
    State.AWAITING_CONFIRMATION: "input_required",
    State.PROPOSED: "working",
    State.AWAITING_APPROVAL: "working",
    State.QUEUED: "working",
    State.EXECUTING: "working",
    State.UNKNOWN: "working",
    State.SUCCEEDED: "completed",
    State.REFUSED: "failed",
    State.FAILED: "failed",
    State.REJECTED: "failed",
    State.EXPIRED: "failed",
    State.CANCELLED: "cancelled",
}


def outcome(request: ActionRequest, locale: str, *, confirm_url: str = "") -> dict[str, Any]:
    """Return a request's state and texts as JSON.

    `confirm_url` is the page where the customer confirms it, if they still have to.
    """
    card, state = card_of(request, locale), State(request.state)
    found: dict[str, Any] = {
        "status": STATUS[state],
        "state": str(state),
        "request": str(request.pk),
        "action": request.action,
        "title": card.title,
        "summary": card.summary,
        "rows": [{"label": row.label, "value": row.value} for row in card.rows],
        "needs_approval": request.needs_approval,
        "message": message(request, locale),
    }
    if confirm_url:
        found["confirm_url"] = confirm_url
    if request.expires_at is not None:
        found["expires_at"] = request.expires_at.isoformat().replace("+00:00", "Z")
    if (reason := reason_of(request, locale)) is not None:
        found["reason"] = reason
    if request.receipt is not None:
        found["receipt"] = request.receipt
        found["receipt_rows"] = [{"label": row.label, "value": row.value} for row in receipt_rows(request, locale)]
    return found


def message(request: ActionRequest, locale: str) -> str:
    """Return one or two sentences that tell the customer their request's state."""
    match State(request.state):
        case State.AWAITING_CONFIRMATION:
            return text_in(locale, "Nothing happens until you confirm.")
        case State.AWAITING_APPROVAL:
            return text_in(locale, "A colleague still has to decide on this. Nothing happens before then.")
        case State.PROPOSED | State.QUEUED | State.EXECUTING:
            return text_in(locale, "This is being carried out. It can take a minute.")
        case State.REFUSED | State.CANCELLED:
            reason = reason_of(request, locale)
            return reason["text"] if reason else card_of(request, locale).summary
        case _:
            return explanation(request, locale)
