"""The end of a conversation, as its customer reads it; English where we have no other language."""

from typing import Final

from supportbot.accounts.look import language_of

_ENDED: Final = {
    "en": "You have ended this conversation. Start a new one at any time.",
    "de": "Sie haben dieses Gespräch beendet. Sie können jederzeit ein neues beginnen.",
}


def words_of_the_end(locale: str) -> str:
    return _ENDED.get(language_of(locale), _ENDED["en"])
