"""The outcome of a request in a sentence or two for its customer. The text is based on the request's row; no model
writes it.
"""

from typing import Final

from django.db.models import QuerySet

from actions.cards import card_of, reason_of
from actions.models import ActionRequest
from actions.states import State
from supportbot.chat.models import Conversation
from supportbot.translation import msgid, text_in

_MAX_REQUESTS: Final = 20  # number of a conversation's newest requests to read
_NOT_DONE: Final = msgid("Not done: {what}. {reason}")
_IN_PROGRESS: Final = msgid("In progress: {what}. {reason}")
_TEXTS: Final[dict[State, str]] = {
    State.SUCCEEDED: msgid("Done: {what}."),
    State.FAILED: _NOT_DONE,
    State.UNKNOWN: msgid("Not certain yet: {what}. {reason}"),
    State.REJECTED: _NOT_DONE,
    State.EXPIRED: msgid("Not done: {what}. {reason} If you still want it, ask me again for a new card."),
}


def explanation(request: ActionRequest, locale: str = "") -> str:
    """Return the text for a request that succeeded, failed, was rejected, expired or has an unknown outcome."""
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


def done_in(conversation: Conversation) -> tuple[str, ...]:
    """Return the texts about a conversation's successful requests, which an answer may report as done."""
    own: QuerySet[ActionRequest] = ActionRequest.objects.filter(
        customer_id=conversation.customer_id, conversation_id=conversation.pk, state=State.SUCCEEDED
    )
    return tuple(explanation(request) for request in own.order_by("-id")[:_MAX_REQUESTS])
