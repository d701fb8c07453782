"""Text that hides nothing: what people and models write is stored and shown without signs that deceive the eye. Pure.

Invisible signs carry words past a reader, bidirectional ones turn them round, stacked accents cover the line above. The
few that writing needs stay where it needs them: joiners inside Arabic and Indic words and emoji, and emoji's selectors.
"""

import re
from typing import Final

# Format characters, fillers, variation selectors, tags, interlinear notes, and code points that are no characters.
_UNSEEN_BELOW: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
)
_UNSEEN: Final = f"{_UNSEEN_BELOW}\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
)
# As the pattern of a schema spells them: beyond U+FFFF there is no spelling that all its readers know.
UNSEEN_IN_SCHEMAS: Final = "".join(sign if sign == "-" else f"\\u{ord(sign):04x}" for sign in _UNSEEN_BELOW)
INVISIBLE: Final = re.compile(f"[{_UNSEEN}]")
_EMOJI: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_JOINING: Final = "\u0620-\u06d3\u0750-\u08ff\u0900-\u0dff\u0f00-\u109f"
_NEEDED: Final = (
    rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    rf"|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])|(?<=[{_EMOJI}])[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)"
)
_HIDDEN: Final = re.compile(f"({_NEEDED})|[{_UNSEEN}]")
_ACCENTS: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MOST_ACCENTS: Final = 3  # on one letter; no language writes more
_STACK: Final = re.compile(f"([{_ACCENTS}]{{{_MOST_ACCENTS}}})[{_ACCENTS}]+")
# A lone carriage return lets what follows overwrite the line where a log is read.
_LINE_ENDS: Final = re.compile("\r\n?|[\u0085\u2028\u2029]")


def visible(text: str) -> str:
    """Return the text with every sign removed that cannot be seen, and with line ends of one kind."""
    if text.isascii() and "\r" not in text:
        return text
    apart = _LINE_ENDS.sub("\n", text).replace("\ufffa", " ")  # between a text and the note written over it
    return _STACK.sub(r"\1", _HIDDEN.sub(lambda sign: sign[1] or "", apart))
