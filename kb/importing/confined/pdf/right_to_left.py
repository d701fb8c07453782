"""Right-to-left lines, which PDFs store in visual order. Pure."""

import re
import unicodedata
from collections import Counter
from typing import Final

MIN_SHARE: Final = 0.4  # share of right-to-left letters; the line may contain addresses and names
_RTL: Final = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_SIGN: Final = "[%‰°€$£₪٪]?"
_PART: Final = rf"(?:[^\W_{_RTL}]|[\u06f0-\u06f9])"  # Persian digits are like Western ones
# Numbers in Arabic digits have no signs, and are not part of a word in a left-to-right script (UAX #9, type AN).
_ARABIC: Final = "[\u0660-\u0669٫٬]+(?:[.,:/،\u00a0][\u0660-\u0669٫٬]+)*"
_TOKEN: Final = rf"{_SIGN}{_PART}+(?:[.,:/@+_٫٬-]*{_PART}+)*{_SIGN}"
# A word in a left-to-right script includes the numbers and words after it; numbers alone do not.
_LEFT_TO_RIGHT: Final = re.compile(rf"([^\W\d_{_RTL}](?:[.,:/@+_-]*{_PART})*{_SIGN}(?: {_TOKEN})*|{_TOKEN}|{_ARABIC})")
# Vowel signs of Hebrew and Arabic also follow their letter in visual order.
_LETTER_WITH_MARKS: Final = re.compile("(?s:.)[\u0591-\u05c7\u064b-\u065f\u0670]*")
_BRACKETS: Final = re.compile(r"[()\[\]{}«»]")
_OPENING: Final = "([{«"
_MIRRORED: Final = str.maketrans("()[]{}«»", ")(][}{»«")


def is_right_to_left(text: str) -> bool:
    kinds = Counter(unicodedata.bidirectional(sign) for sign in text)
    return kinds["R"] + kinds["AL"] > MIN_SHARE * kinds["L"]


def logical(text: str) -> str:
    """Return a line in reading order."""
    if not is_right_to_left(text):
        return text
    pieces = _LEFT_TO_RIGHT.split(text)
    # Every second piece reads from left to right.
    turned = [piece if place % 2 else _turned(piece) for place, piece in enumerate(pieces)]
    return _with_brackets("".join(reversed(turned)))


def _turned(text: str) -> str:
    return "".join(reversed(_LETTER_WITH_MARKS.findall(text)))


def _with_brackets(text: str) -> str:
    """Return a line with brackets that open before they close, since some files store the visible shapes."""
    first = _BRACKETS.search(text)
    return text.translate(_MIRRORED) if first and first.group() not in _OPENING else text


def as_seen(letters: str) -> str:
    """Return the letters of one glyph in the order of their line, which is reversed later."""
    is_turned = len(letters) > 1 and any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in letters)
    return letters[::-1] if is_turned else letters
