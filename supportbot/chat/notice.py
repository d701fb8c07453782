"""What every customer is told before the first answer (EU AI Act, Article 50)."""

from typing import Final

from supportbot.language.detection import base_language

_NOTICES: Final = {
    "en": "You are talking to an AI assistant. It answers from our help pages. A person can take over at any time.",
    "de": "Sie schreiben mit einem KI-Assistenten. Er antwortet aus unseren Hilfeseiten. "
    "Ein Mensch kann jederzeit übernehmen.",
}


def ai_notice(locale: str) -> str:
    """Return the notice in the language of a locale, in English where we have no other."""
    return _NOTICES.get(base_language(locale), _NOTICES["en"])
