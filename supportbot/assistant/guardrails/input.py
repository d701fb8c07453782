"""The customer's text as the assistant reads it: the same words without disguises. Pure."""

from typing import Final

from supportbot.assistant.guardrails.disguise import plain_words, without_entities

MAX_QUESTION_CHARACTERS: Final = 6_000


def normalised(text: str) -> str:
    """Return the text in NFKC, without invisible characters and with disguised words made plain: what a reader sees is
    what search and model get."""
    return plain_words(without_entities(text)).strip()[:MAX_QUESTION_CHARACTERS]
