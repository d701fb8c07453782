"""The outcome of a request in a sentence or two for its customer, made from the row without a model."""

from typing import Final

from django.db.models import QuerySet

from actions.cards import card_of, reason_of
from actions.models import ActionRequest
from actions.states import State
from supportbot.chat.models import Conversation

_MAX_REQUESTS: Final = 20  # the newest requests of one conversation
_TEXTS: Final[dict[str, dict[State, str]]] = {
    "en": {
        State.SUCCEEDED: "Done: {what}.",
        State.FAILED: "Not done: {what}. {reason}",
        State.UNKNOWN: "Not certain yet: {what}. {reason}",
        State.REJECTED: "Not done: {what}. {reason}",
        State.EXPIRED: "Not done: {what}. {reason} If you still want it, ask me again for a fresh card.",
    },
    "de": {
        State.SUCCEEDED: "Erledigt: {what}.",
        State.FAILED: "Nicht erledigt: {what}. {reason}",
        State.UNKNOWN: "Noch nicht sicher: {what}. {reason}",
        State.REJECTED: "Nicht erledigt: {what}. {reason}",
        State.EXPIRED: "Nicht erledigt: {what}. {reason} Wenn Sie es noch möchten, fragen Sie mich bitte noch "
        "einmal, dann kommt eine neue Karte.",
    },
}
_REFERENCE: Final = {"en": "Your reference is {reference}.", "de": "Ihre Referenz ist {reference}."}


def explanation(request: ActionRequest) -> str:
    """Return the text for a request that succeeded, failed, was rejected, expired or whose outcome is unknown."""
    language = "de" if request.locale.startswith("de") else "en"
    reason = reason_of(request)
    text = _TEXTS[language][State(request.state)].format(
        what=card_of(request).summary.rstrip("."), reason=reason["text"] if reason else ""
    )
    reference = (request.receipt or {}).get("reference")
    return f"{text} {_REFERENCE[language].format(reference=reference)}" if reference else text.strip()


def done_in(conversation: Conversation) -> tuple[str, ...]:
    """Return the texts of a conversation's successful requests, which an answer may repeat as done."""
    own: QuerySet[ActionRequest] = ActionRequest.objects.filter(
        customer_id=conversation.customer_id, conversation_id=conversation.pk, state=State.SUCCEEDED
    )
    return tuple(explanation(request) for request in own.order_by("-id")[:_MAX_REQUESTS])
