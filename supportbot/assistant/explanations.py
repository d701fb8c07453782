"""What became of a request, in a sentence or two for its customer. Made from the row; no model has a say in it."""

from typing import Final

from django.db.models import QuerySet

from actions.cards import card_of, reason_of
from actions.models import ActionRequest
from actions.states import State
from supportbot.chat.models import Conversation

_REMEMBERED: Final = 20  # requests of one conversation, the newest
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
    """Return the words for a request that has succeeded or failed, is unknown, was rejected or has expired."""
    language = "de" if request.locale.startswith("de") else "en"
    reason = reason_of(request)
    text = _TEXTS[language][State(request.state)].format(
        what=card_of(request).summary.rstrip("."), reason=reason["text"] if reason else ""
    )
    reference = (request.receipt or {}).get("reference")
    return f"{text} {_REFERENCE[language].format(reference=reference)}" if reference else text.strip()


def done_in(conversation: Conversation) -> tuple[str, ...]:
    """Return the words for each request of a conversation that has succeeded: what an answer may repeat as done."""
    own: QuerySet[ActionRequest] = ActionRequest.objects.filter(
        customer_id=conversation.customer_id, conversation_id=conversation.pk, state=State.SUCCEEDED
    )
    return tuple(explanation(request) for request in own.order_by("-id")[:_REMEMBERED])
