"""The customer's text as the assistant reads it: the same words without disguises. Pure."""

import re
import unicodedata
from typing import Final

# Format characters (zero width, bidirectional controls, tags) carry no words; a soft hyphen neither.
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]")  # fmt: skip  # noqa: E501
MAX_QUESTION_CHARACTERS: Final = 6_000


def normalised(text: str) -> str:
    """Return the text in NFKC without invisible characters: what a reader sees is what search and model get."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()[:MAX_QUESTION_CHARACTERS]
