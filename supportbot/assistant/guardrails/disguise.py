"""Text without disguises: what may be stored and shown, and what the checks read. Pure.

A reader sees "refunded" where a model wrote a letter of another script or an invisible sign into the word; the checks
must see it too.
"""

import re
import unicodedata
from typing import Final

# Format characters (zero width, bidirectional controls, tags) carry no words; a soft hyphen neither.
INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]")  # fmt: skip  # noqa: E501
# PostgreSQL refuses NUL, UTF-8 half a surrogate pair; no other control character means anything in a chat.
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LEFT_OVER_ACCENT: Final = re.compile("[\u0300-\u036f\u0488\u0489]")
_LOOK_ALIKES: Final = dict(
    zip(
        "авеёікмнорстухѕјԁһԛԝѵӏгпьАВЕЁІКМНОРСТУХЅЈԌҺαβεικμνοπρτυχωςΑΒΕΖΗΙΚΜΝΟΡΤΥΧɡıℓ。․",
        "abeeikmhopctyxsjdhqwvlrnbABEEIKMHOPCTYXSJGhabeikuvonptuxwcABEZHIKMNOPTYXgil..",
        strict=True,
    )
)
_KEPT_ACCENTS: Final = frozenset("äöüÄÖÜ")


def _bare_letters() -> dict[str, str]:
    letters = (chr(code) for code in range(0xC0, 0x250))
    pairs = ((letter, unicodedata.normalize("NFKD", letter)) for letter in letters if letter not in _KEPT_ACCENTS)
    return {letter: parts[0] for letter, parts in pairs if len(parts) > 1 and parts[0].isascii()}


_FOLD: Final = str.maketrans({**_bare_letters(), **_LOOK_ALIKES, "’": "'", "‘": "'", "ʼ": "'"})


def shown_text(text: str) -> str:
    """Return a model's text without invisible and control characters and halves of surrogate pairs."""
    return text if text.isascii() and text.isprintable() else _UNSTORABLE.sub("", INVISIBLE.sub("", text))


def undisguised(text: str) -> str:
    """Return the text as the checks read it: NFKC, and letters of other scripts that look Latin are Latin."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFKC", INVISIBLE.sub("", text))
    return _LEFT_OVER_ACCENT.sub("", composed.translate(_FOLD))
