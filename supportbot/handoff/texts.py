"""What people and the assistant write about a ticket, made fit to be stored. Pure."""

import re
from typing import Final

from supportbot.errors import InvalidInput

MAX_SUMMARY_CHARACTERS: Final = 1_000
MAX_NOTE_CHARACTERS: Final = 2_000
_UNREADABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_summary(text: str) -> str:
    """Return the summary without what cannot be stored, cut: a wish for a person never fails for its wording."""
    return _UNREADABLE.sub("", text).strip()[:MAX_SUMMARY_CHARACTERS]


def clean_note(text: str) -> str:
    """Return the note; raises InvalidInput for one that is too long or holds what cannot be stored."""
    if len(text) > MAX_NOTE_CHARACTERS:
        raise InvalidInput(fields={"note": [f"At most {MAX_NOTE_CHARACTERS:,} characters."]})
    if _UNREADABLE.search(text):
        raise InvalidInput(fields={"note": ["It holds characters that cannot be stored: remove them."]})
    return text.strip()
