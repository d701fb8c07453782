"""The outcome of a request in a sentence or two for its customer. The text is based on the request's row; no model
writes it.
"""

from datetime import tzinfo
from typing import Final

from django.db.models import QuerySet

from actions.cards import card_of, reason_of
from actions.models import ActionRequest
from actions.states import State
from supportbot.assistant.texts import AWAITS_APPROVAL, CONFIRM_ABOVE
from supportbot.chat.models import Conversation
from supportbot.formats import format_moment
from supportbot.translation import msgid, text_in

_MAX_REQUESTS: Final = 20  # number of a conversation's newest requests to read
_NOT_DONE: Final = msgid("Not done: {what}. {reason}")
_IN_PROGRESS: Final = msgid("In progress: {what}. {reason}")
_IF_STILL_WANTED: Final = msgid("Not done: {what}. {reason} If you still want it, ask me again for a new card.")
_TEXTS: Final[dict[State, str]] = {
    State.SUCCEEDED: msgid("Done: {what}."),
    State.FAILED: _NOT_DONE,
    State.UNKNOWN: msgid("Not certain yet: {what}. {reason}"),
    State.REJECTED: _NOT_DONE,
    State.EXPIRED: _IF_STILL_WANTED,
    State.CANCELLED: _IF_STILL_WANTED,
    State.REFUSED: _NOT_DONE,
    State.QUEUED: _IN_PROGRESS,
    State.EXECUTING: _IN_PROGRESS,
}
_WAITING: Final[dict[State, str]] = {
    State.PROPOSED: CONFIRM_ABOVE,
    State.AWAITING_CONFIRMATION: CONFIRM_ABOVE,
    State.AWAITING_APPROVAL: AWAITS_APPROVAL,
}


def explanation(request: ActionRequest, locale: str = "") -> str:
    """Return the text for a request that is no longer waiting for the customer or the team."""
    locale = locale or request.locale
    reason = reason_of(request, locale)
    card = card_of(request, locale)
    what = card.summary.rstrip(".")
    message = _IN_PROGRESS if request.reason_code == "in_progress" else _TEXTS[State(request.state)]
    text = text_in(locale, message, what=what, reason=reason["text"] if reason else "")
    if request.state == State.SUCCEEDED and card.done:
        text = card.done
    reference = (request.receipt or {}).get("reference")
    if not reference:
        return text.strip()
    return " ".join([text, text_in(locale, "Your reference is {reference}.", reference=reference)])


def status_of(request: ActionRequest, locale: str, zone: tzinfo) -> str:
    """Return what is on record about a request: what was done, when and with which reference, or why it was not."""
    if (waiting := _WAITING.get(State(request.state))) is not None:
        what = card_of(request, locale).summary.rstrip(".")
        return " ".join([text_in(locale, msgid("Not done yet: {what}."), what=what), text_in(locale, waiting)])
    text = explanation(request, locale)
    if request.state != State.SUCCEEDED:
        return text
    moment = format_moment(request.changed_at.astimezone(zone), locale)
    return " ".join([text, text_in(locale, msgid("Carried out: {moment}."), moment=moment)])


def done_in(conversation: Conversation) -> tuple[str, ...]:
    """Return the texts about a conversation's successful requests, which an answer may report as done."""
    own: QuerySet[ActionRequest] = ActionRequest.objects.filter(
        customer_id=conversation.customer_id, conversation_id=conversation.pk, state=State.SUCCEEDED
    )
    return tuple(explanation(request) for request in own.order_by("-id")[:_MAX_REQUESTS])
