"""The customer's text as the assistant reads it: the same words without disguises. Pure."""

import unicodedata
from typing import Final

from supportbot.assistant.guardrails.disguise import INVISIBLE

MAX_QUESTION_CHARACTERS: Final = 6_000


def normalised(text: str) -> str:
    """Return the text in NFKC without invisible characters: what a reader sees is what search and model get."""
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()[:MAX_QUESTION_CHARACTERS]
