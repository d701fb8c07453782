"""Validates texts before they are stored, once, at the edge."""

import re
from typing import Final

from supportbot.chat.errors import EmptyMessage, InvalidClientId, MessageTooLong, UnreadableText
from supportbot.language.normalise import visible

MAX_MESSAGE_CHARACTERS: Final = 4_000
_CLIENT_ID: Final = re.compile("[!-~]{1,128}")
# C0 and C1 controls except tabs and line breaks; lone surrogates cannot be encoded at all.
CONTROLS: Final = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f"  # in the notation of JSON Schema patterns
)
UNREADABLE: Final = re.compile(rf"[{CONTROLS}\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return the text stripped, without invisible characters; raises EmptyMessage, MessageTooLong or UnreadableText."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise MessageTooLong(len(text), MAX_MESSAGE_CHARACTERS)
    if UNREADABLE.search(text):
        raise UnreadableText()
    stripped = visible(text).strip()
    if not stripped:
        raise EmptyMessage()
    return stripped


def clean_client_id(client_id: str) -> str:
    """Return a message's validated client id; raises InvalidClientId."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidClientId()
    return client_id
