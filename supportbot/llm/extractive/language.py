"""Which of the two languages of our words a text is in. Pure, tiny, and honest about short texts."""

from supportbot.llm.extractive.words import ENGLISH, GERMAN, words
from supportbot.llm.wishes.addresses import without_address

_ONLY_ENGLISH = ENGLISH - GERMAN
_ONLY_GERMAN = GERMAN - ENGLISH
_GERMAN_LETTERS = frozenset("äöüß")


def detect(text: str, fallback: str) -> str:
    """Return "en" or "de", or `fallback` where the words do not say; an address is in no language."""
    found = words(without_address(text))
    german = sum(word in _ONLY_GERMAN for word in found) + sum(bool(_GERMAN_LETTERS & set(word)) for word in found)
    english = sum(word in _ONLY_ENGLISH for word in found)
    if german == english:
        return fallback
    return "de" if german > english else "en"


def base_language(locale: str) -> str:
    """Return the language of a locale: "de" for "de-AT"."""
    return locale.replace("_", "-").partition("-")[0].lower()
