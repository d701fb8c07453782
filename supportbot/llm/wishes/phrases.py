"""What the built-in answerer says around a wish. It asks and points at the card; it never says that something was done.

Each sentence is a question or a courtesy, so it needs no source; and each can be known again in the conversation,
which is the only memory of what was asked.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

Phrase = Literal[
    "which_order", "which_of_these", "order_number", "which_item", "amount", "address", "address_part", "other",
    "choice", "sign_in", "use_card", "left_alone", "decline_on_card", "other_how",
]  # fmt: skip

_TEXTS: Final[dict[str, dict[Phrase, str]]] = {
    "en": {
        "which_order": "Which order is it about?",
        "which_of_these": "Which of these orders is it about?",
        "order_number": "What is the number of the order?",
        "which_item": "Which of these is it about?",
        "amount": "Which amount do you mean in digits?",
        "address": "What is the new address with street and house number and postal code and city?",
        "address_part": "What is the {part} of the new address?",
        "other": "What should I put down as {part}?",
        "choice": "Which of these is it for {part}: {choices}?",
        "sign_in": "Could you sign in to your account first and then ask me again?",
        "use_card": "Could you use the button on the card to confirm?",
        "decline_on_card": "All right. Would you like to close the card with its own button?",
        "left_alone": "All right. Is there anything else?",
        "other_how": "No problem. What should be different?",
    },
    "de": {
        "which_order": "Um welche Bestellung geht es?",
        "which_of_these": "Um welche dieser Bestellungen geht es?",
        "order_number": "Wie lautet die Nummer der Bestellung?",
        "which_item": "Um was davon geht es?",
        "amount": "Welchen Betrag meinen Sie in Ziffern?",
        "address": "Wie lautet die neue Adresse mit Straße und Hausnummer und Postleitzahl und Ort?",
        "address_part": "Wie lautet {part} der neuen Adresse?",
        "other": "Was soll ich als {part} eintragen?",
        "choice": "Was davon ist es bei {part}: {choices}?",
        "sign_in": "Könnten Sie sich zuerst in Ihrem Kundenkonto anmelden und mich dann noch einmal fragen?",
        "use_card": "Könnten Sie bitte zum Bestätigen den Knopf auf der Karte benutzen?",
        "decline_on_card": "In Ordnung. Möchten Sie die Karte über ihren eigenen Knopf schließen?",
        "left_alone": "In Ordnung. Gibt es sonst noch etwas?",
        "other_how": "Kein Problem. Was soll anders sein?",
    },
}
# The words that stand for a field in a question, where its name would sound like a form.
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "line1": "street and house number", "line2": "second line", "postal_code": "postal code", "city": "city",
        "name": "name", "country": "country", "reason": "the reason",
    },
    "de": {
        "line1": "die Straße mit Hausnummer", "line2": "der Zusatz", "postal_code": "die Postleitzahl",
        "city": "der Ort", "name": "der Name", "country": "das Land", "reason": "Grund",
    },
}  # fmt: skip
_DATES: Final[dict[str, dict[str, str]]] = {
    "en": {"shipped_at": "sent on", "delivered_at": "delivered on", "expected_on": "expected on"},
    "de": {"shipped_at": "verschickt am", "delivered_at": "zugestellt am", "expected_on": "erwartet am"},
}
_NO_REASON: Final = {"en": "No reason given", "de": "Kein Grund angegeben"}
# What the assistant says when a card stands or a wish was turned down (`assistant.texts`, `actions.reasons`) is known
# by not being one of ours.
_OURS: Final[tuple[tuple[Phrase, re.Pattern[str]], ...]] = tuple(
    (phrase, re.compile(re.sub(r"\\\{\w+\\\}", r".{1,200}?", re.escape(text))))
    for texts in _TEXTS.values()
    for phrase, text in texts.items()
)


def say(phrase: Phrase, language: str, **values: str) -> str:
    """Return a phrase in the language, in English where we have no other."""
    return _TEXTS.get(language, _TEXTS["en"])[phrase].format(**values)


def field_name(name: str, language: str) -> str:
    """Return how a question calls a field of an action."""
    names: Mapping[str, str] = _FIELDS.get(language, _FIELDS["en"])
    return names.get(name, name.replace("_", " "))


def date_name(name: str, language: str) -> str:
    """Return the words before a date of an order."""
    return _DATES.get(language, _DATES["en"])[name]


def no_reason(language: str) -> str:
    """Return what stands on a card where the customer gave no reason."""
    return _NO_REASON.get(language, _NO_REASON["en"])


def phrase_in(text: str) -> Phrase | None:
    """Return which of our phrases a text of the assistant holds; None if it says nothing of ours."""
    return next((phrase for phrase, pattern in _OURS if pattern.search(text)), None)


def asks_back(text: str) -> bool:
    """Return whether the text is about a wish: it asks for what is missing, or says how to go on."""
    return phrase_in(text) is not None
