"""Notices that customers read: before the first answer (EU AI Act, Article 50), and at the end of a conversation."""

from typing import Final

from supportbot.language.detection import base_language

_NOTICES: Final = {
    "en": "You are talking to an AI assistant. It answers from our help pages. A person can take over at any time.",
    "de": "Sie schreiben mit einem KI-Assistenten. Er antwortet aus unseren Hilfeseiten. "
    "Ein Mensch kann jederzeit übernehmen.",
}
_ENDED: Final = {
    "en": "You have ended this conversation. Start a new one at any time.",
    "de": "Sie haben dieses Gespräch beendet. Sie können jederzeit ein neues beginnen.",
}


def ai_notice(locale: str) -> str:
    """Return the notice in the language of a locale, or in English if we have no other."""
    return _NOTICES.get(base_language(locale), _NOTICES["en"])


def end_notice(locale: str) -> str:
    """Return the notice that the customer has ended the conversation, in English if we have no other language."""
    return _ENDED.get(base_language(locale), _ENDED["en"])
