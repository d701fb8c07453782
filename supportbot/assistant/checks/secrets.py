"""What never leaves the house: the words of the instructions and of colleagues' notes, keys, and card numbers. Pure.

A model that was talked round gives its instructions away in pieces, backwards, in capitals, spaced out or in base64. So
a text is compared by its bare letters and digits, forwards and backwards, and with what it decodes to.
"""

import base64
import codecs
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from supportbot.language.normalise import undisguised

# In bare letters. Long enough that a courtesy which stands in the rules as well is none of them.
RUN_OF_RULES: Final = 40
RUN_OF_NOTE: Final = 16
_NAME_LENGTH: Final = 8  # a word with digits in it, as keys and codes are
_BARE: Final = re.compile(r"[\W_]+")
_NAME: Final = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[\w-]+")
_KEY: Final = re.compile(
    r"\b(?:sk|vs|st|rk|whsec|gh[pousr]|xox[abprs]|AKIA|AIza)[-_][\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+"
)
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_CARD: Final = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]*\d)")


class Kept:
    """What is kept back: the instructions' rules, and a note of the team."""

    def __init__(self, rules: str = "", note: str = "") -> None:
        rules, note, names = bare(rules), bare(note), _names(note)
        self._runs = _Runs({*_runs(rules, RUN_OF_RULES), *_runs(note, RUN_OF_NOTE), *names})
        self._beginnings = _Runs({*_runs(rules, RUN_OF_RULES // 2), *_runs(note, RUN_OF_NOTE // 2), *names})

    def is_in(self, text: str) -> bool:
        """Return whether a text gives some of it away, however it is written down."""
        return self._runs.are_in(text)

    def is_near(self, text: str) -> bool:
        """Return whether a text that goes on may be about to."""
        return self._beginnings.are_in(text)


class _Runs:
    """Pieces of text to look for. A sentence is looked through several times, so their lengths are counted once."""

    def __init__(self, runs: set[str]) -> None:
        self._runs = runs
        self._lengths = {len(run) for run in runs}

    def are_in(self, text: str) -> bool:
        """Return whether one of them stands in a text, however it is written down."""
        return any(self._stand_in(view) for view in _views(text)) if self._runs else False

    def _stand_in(self, text: str) -> bool:
        return any(
            text[at : at + length] in self._runs for length in self._lengths for at in range(len(text) - length + 1)
        )


def holds_secret(text: str) -> bool:
    """Return whether a text holds a key or the number of a payment card."""
    return _KEY.search(text) is not None or any(_is_card(match.group()) for match in _CARD.finditer(undisguised(text)))


def bare(text: str) -> str:
    """Return the letters and digits of a text as the checks read them, in lower case."""
    return _BARE.sub("", undisguised(text).lower())


def _names(text: str) -> set[str]:
    return {bare(name) for name in _NAME.findall(text) if len(bare(name)) >= _NAME_LENGTH}


def _runs(text: str, length: int) -> Iterator[str]:
    if 0 < len(text) < length:
        yield text
    for start in range(len(text) - length + 1):
        yield text[start : start + length]


def _views(text: str) -> Iterator[str]:
    plain = bare(text)
    yield plain
    yield plain[::-1]
    yield codecs.encode(plain, "rot13")
    for decoded in _decoded(text):
        yield bare(decoded)


def _decoded(text: str) -> Iterable[str]:
    for match in _CODED.finditer(text):
        code = match.group().rstrip("=")
        with suppress(ValueError):  # binascii's error and UnicodeDecodeError are of its kind
            yield base64.b64decode(code.translate(_URL_SAFE) + "=" * (-len(code) % 4)).decode()
        with suppress(ValueError):
            yield bytes.fromhex(code).decode()


def _is_card(number: str) -> bool:
    digits = [int(char) for char in number if char.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
