"""What people and the assistant write about a ticket, made fit to be stored. Pure."""

from typing import Final

from supportbot.chat.texts import UNREADABLE
from supportbot.errors import InvalidInput
from supportbot.language.normalise import visible

MAX_SUMMARY_CHARACTERS: Final = 1_000
MAX_NOTE_CHARACTERS: Final = 2_000


def clean_summary(text: str) -> str:
    """Return the summary without what cannot be stored, cut: a wish for a person never fails for its wording."""
    return visible(UNREADABLE.sub("", text)).strip()[:MAX_SUMMARY_CHARACTERS]


def clean_note(text: str) -> str:
    """Return the note; raises InvalidInput for one that is too long or holds what cannot be stored."""
    if len(text) > MAX_NOTE_CHARACTERS:
        raise InvalidInput(fields={"note": [f"At most {MAX_NOTE_CHARACTERS:,} characters."]})
    if UNREADABLE.search(text):
        raise InvalidInput(fields={"note": ["It holds characters that cannot be stored: remove them."]})
    return visible(text).strip()
