"""The assistant's own texts in each language it speaks (`data/texts.*.json`). Short, plain, honest."""

from typing import Final, Literal

from supportbot.language.phrases import Phrases

Phrase = Literal[
    "not_found", "reading", "searching", "to_person", "still_working",
    "unconfirmed", "left_out",
    "withdrawn", "confirm", "confirm_above", "awaits_approval", "under_way", "shop_silent",
]  # fmt: skip

TEXTS: Final = Phrases("supportbot.assistant", "texts")


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in the language, in English where we have no other."""
    return TEXTS.say(phrase, language, **values)
