"""What the assistant says in its own words, in each language it speaks. Short, plain, honest."""

from typing import Final, Literal

Phrase = Literal[
    "not_found", "reading", "searching", "to_person", "still_working",
    "confirm", "confirm_above", "awaits_approval", "under_way", "shop_silent",
]  # fmt: skip

_TEXTS: Final[dict[str, dict[Phrase, str]]] = {
    "en": {
        "not_found": "I could not find this in our help pages, so I would rather not guess. "
        "Would you like to talk to a person?",
        "reading": "Reading “{title}”",
        "searching": "Looking through our help pages",
        "to_person": "I am passing this on to a person.",
        "still_working": "This takes longer than usual",
        "confirm": "Please check the card. Nothing happens until you confirm.",
        "confirm_above": "The card for this is further up. Nothing happens until you confirm it there.",
        "awaits_approval": "A colleague still has to decide about this. Nothing happens before that.",
        "under_way": "This request is already under way, so nothing new was started.",
        "shop_silent": "The shop's system does not answer at the moment, so I can neither look nor prepare anything. "
        "Please try again in a few minutes.",
    },
    "de": {
        "not_found": "Dazu steht nichts in unseren Hilfeseiten, deshalb möchte ich nicht raten. "
        "Möchten Sie mit einem Menschen sprechen?",
        "reading": "„{title}“ wird gelesen",
        "searching": "Ich sehe in unseren Hilfeseiten nach",
        "to_person": "Ich gebe Ihre Frage an einen Menschen weiter.",
        "still_working": "Das dauert länger als sonst",
        "confirm": "Bitte prüfen Sie die Karte. Es geschieht nichts, bevor Sie bestätigen.",
        "confirm_above": "Die Karte dazu steht weiter oben. Es geschieht nichts, bevor Sie sie dort bestätigen.",
        "awaits_approval": "Darüber muss noch jemand aus dem Team entscheiden. Vorher geschieht nichts.",
        "under_way": "Diese Anfrage läuft bereits, deshalb wurde nichts Neues begonnen.",
        "shop_silent": "Das System des Shops antwortet gerade nicht, deshalb kann ich weder nachsehen noch etwas "
        "vorbereiten. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    },
}


def say(phrase: Phrase, language: str, **values: str) -> str:
    """Return a phrase in the language, in English where we have no other."""
    return _TEXTS.get(language, _TEXTS["en"])[phrase].format(**values)
