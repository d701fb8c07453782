"""What became of a request, in a sentence or two for its customer. Made from the row; no model has a say in it."""

from typing import Final

from actions.cards import face_of, reason_of
from actions.models import ActionRequest
from actions.states import State

_TEXTS: Final[dict[str, dict[State, str]]] = {
    "en": {
        State.SUCCEEDED: "“{what}” has been carried out.",
        State.FAILED: "“{what}” was not carried out. {reason}",
        State.UNKNOWN: "It is not certain yet whether “{what}” went through. {reason}",
        State.REJECTED: "“{what}” was not carried out. {reason}",
        State.EXPIRED: "“{what}” was not carried out. {reason} If you still want it, ask me again for a fresh card.",
    },
    "de": {
        State.SUCCEEDED: "„{what}“ wurde ausgeführt.",
        State.FAILED: "„{what}“ wurde nicht ausgeführt. {reason}",
        State.UNKNOWN: "Es steht noch nicht fest, ob „{what}“ gelungen ist. {reason}",
        State.REJECTED: "„{what}“ wurde nicht ausgeführt. {reason}",
        State.EXPIRED: "„{what}“ wurde nicht ausgeführt. {reason} Wenn Sie es noch möchten, fragen Sie mich bitte noch "
        "einmal, dann kommt eine neue Karte.",
    },
}
_REFERENCE: Final = {"en": "Your reference is {reference}.", "de": "Ihre Referenz ist {reference}."}


def explanation(request: ActionRequest) -> str:
    """Return the words for a request that has succeeded or failed, is unknown, was rejected or has expired."""
    language = "de" if request.locale.startswith("de") else "en"
    reason = reason_of(request)
    text = _TEXTS[language][State(request.state)].format(
        what=face_of(request).summary.rstrip("."), reason=reason["text"] if reason else ""
    )
    reference = (request.receipt or {}).get("reference")
    return f"{text} {_REFERENCE[language].format(reference=reference)}" if reference else text.strip()
