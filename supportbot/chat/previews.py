"""The one line by which a conversation is recognised in a list."""

import re
from typing import Final

PREVIEW_CHARACTERS: Final = 120
_MARKER: Final = re.compile(r" ?\[[0-9]{1,2}\]")  # stands for a source, which a list does not show


def preview(text: str) -> str:
    """Return the beginning of what was said, on one line."""
    line = " ".join(_MARKER.sub("", text).split())
    return line if len(line) <= PREVIEW_CHARACTERS else line[: PREVIEW_CHARACTERS - 1].rstrip() + "…"
