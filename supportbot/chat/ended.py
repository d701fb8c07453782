"""The end of a conversation, as its customer reads it; English where we have no other language."""

from typing import Final

from supportbot.language.detection import base_language

_ENDED: Final = {
    "en": "You have ended this conversation. Start a new one at any time.",
    "de": "Sie haben dieses Gespräch beendet. Sie können jederzeit ein neues beginnen.",
}


def words_of_the_end(locale: str) -> str:
    return _ENDED.get(base_language(locale), _ENDED["en"])
