"""Cleans the text that the team and the assistant write about a ticket before it is stored. Pure."""

from typing import Final

from django.utils.translation import gettext

from supportbot.chat.services import UNREADABLE
from supportbot.errors import InvalidInput
from supportbot.language.normalise import visible
from supportbot.team_formats import number

MAX_SUMMARY_CHARACTERS: Final = 1_000
MAX_NOTE_CHARACTERS: Final = 2_000


def clean_summary(text: str) -> str:
    """Return a summary that can be stored, truncated if necessary.

    It never fails, so that a request for a person cannot fail because of its summary.
    """
    return visible(UNREADABLE.sub("", text)).strip()[:MAX_SUMMARY_CHARACTERS]


def clean_note(text: str) -> str:
    """Return the note; raises InvalidInput if it is too long or contains characters that cannot be stored."""
    if len(text) > MAX_NOTE_CHARACTERS:
        raise InvalidInput(
            fields={"note": [gettext("Enter at most {limit} characters.").format(limit=number(MAX_NOTE_CHARACTERS))]}
        )
    if UNREADABLE.search(text):
        raise InvalidInput(fields={"note": [gettext("Remove the characters that cannot be stored.")]})
    return visible(text).strip()
