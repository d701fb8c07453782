"""Cutting a stream of text into sentences while it arrives. Pure.

A sentence ends at its full stop and whatever markers follow it, once the next sentence has begun; a line ends one too.
"""

import re
from typing import Final

MAX_SENTENCE_CHARACTERS: Final = 400
MARKER: Final = re.compile(r"[\[【](\d{1,2}(?:\s*,\s*\d{1,2})*)[\]】]")
_END: Final = re.compile(
    r"""(?:[.!?…]["”’»)*_]*)(?:\s*[\[【]\d{1,2}(?:\s*,\s*\d{1,2})*[\]】])*(?P<gap>\s+)(?=[^\s\[【])|\n+""", re.VERBOSE
)
_NO_END: Final = re.compile(
    r"(?:\b(?:[A-Za-z]|e\.g|i\.e|z\. ?B|d\. ?h|u\. ?a|ca|approx|bzw|ggf|inkl|evtl|max|min|Nr|No|St|Str|Tel|vgl|vs|Mr"
    r"|Mrs|Dr|Prof|usw)|(?<!\d)\d{1,2})\.$"
)


def split_off(text: str) -> tuple[str, str] | None:
    """Return (first sentence with the blanks behind it, rest), or None while the first one is unfinished."""
    for match in _END.finditer(text):
        if match["gap"] is None or not _NO_END.search(text[: match.start() + 1]):
            return text[: match.end()], text[match.end() :]
    if len(text) > MAX_SENTENCE_CHARACTERS:
        cut = text.rfind(" ", 0, MAX_SENTENCE_CHARACTERS) + 1 or MAX_SENTENCE_CHARACTERS
        return text[:cut], text[cut:]
    return None


def without_markers(sentence: str) -> str:
    """Return the words of a sentence without its source markers."""
    return re.sub(r"\s+([.!?…,;:])", r"\1", MARKER.sub("", sentence)).strip()


def marked_sources(sentence: str) -> list[int]:
    """Return the source numbers a sentence names, in order, each once."""
    numbers = [int(number) for group in MARKER.findall(sentence) for number in group.split(",")]
    return list(dict.fromkeys(numbers))
