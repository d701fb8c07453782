"""What the assistant says in its own words, in each language it speaks. Short, plain, honest."""

from typing import Final, Literal

Phrase = Literal["not_found", "reading", "searching", "to_person", "still_working"]

_TEXTS: Final[dict[str, dict[Phrase, str]]] = {
    "en": {
        "not_found": "I could not find this in our help pages, so I would rather not guess. "
        "Would you like to talk to a person?",
        "reading": "Reading “{title}”",
        "searching": "Looking through our help pages",
        "to_person": "I am passing this on to a person.",
        "still_working": "This takes longer than usual",
    },
    "de": {
        "not_found": "Dazu steht nichts in unseren Hilfeseiten, deshalb möchte ich nicht raten. "
        "Möchten Sie mit einem Menschen sprechen?",
        "reading": "„{title}“ wird gelesen",
        "searching": "Ich sehe in unseren Hilfeseiten nach",
        "to_person": "Ich gebe Ihre Frage an einen Menschen weiter.",
        "still_working": "Das dauert länger als sonst",
    },
}


def say(phrase: Phrase, language: str, **values: str) -> str:
    """Return a phrase in the language, in English where we have no other."""
    return _TEXTS.get(language, _TEXTS["en"])[phrase].format(**values)
