"""What an answer must never disclose: the instructions, colleagues' notes, keys and card numbers. Pure.

A model that was talked round gives its instructions away in pieces, backwards, in capitals, spaced out or in base64. So
a text is compared by its bare letters and digits, forwards and backwards, and with what it decodes to.
"""

import base64
import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.personal_data import passes_luhn

# In bare letters. Long enough that a courtesy which also occurs in the rules does not count.
RUN_OF_RULES: Final = 40
RUN_OF_NOTE: Final = 16
LEAST_RUN: Final = 8  # anything shorter may be chance; also the least length of a word with digits, as in keys
_BARE: Final = re.compile(r"[\W_]+")
_NAME: Final = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[\w-]+")
_KEY: Final = re.compile(
    r"\b(?:sk|vs|st|rk|whsec|gh[pousr]|xox[abprs]|AKIA|AIza)[-_][\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+"
)
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_CARD: Final = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]*\d)")


class Confidential:
    """The confidential text of a turn: the rules of the instructions and the team's note; ignored below LEAST_RUN."""

    def __init__(self, rules: str = "", note: str = "") -> None:
        runs = {bare(rules): RUN_OF_RULES, bare(note): RUN_OF_NOTE}
        runs |= {(name := bare(written)): len(name) for written in _NAME.findall(note)}
        self._runs = {text: run for text, run in runs.items() if len(text) >= LEAST_RUN}
        self._pieces = frozenset(piece for text in self._runs for piece in _pieces(text))
        self._traces = frozenset(reading for piece in self._pieces for reading in _readings(piece))

    def is_in(self, before: str, text: str) -> bool:
        """Return whether a text, after the one before it, discloses part of it in any spelling or encoding."""
        return self._leaks(before, text, parts=1)

    def may_begin_in(self, before: str, text: str) -> bool:
        """Return whether an unfinished text, after the one before it, may be about to disclose part of it."""
        return self._leaks(before, text, parts=2)

    def may_go_on(self, letters: str, more: str) -> bool:
        """Return whether bare letters, after those already shown, may be about to disclose part of it."""
        return bool(self._pieces) and self._is_traced(letters, more) and self._is_read(letters + more, parts=2)

    def _leaks(self, before: str, text: str, *, parts: int) -> bool:
        if not self._pieces:
            return False
        if any(self._holds_run(view, parts) for view in _decoded(before + text)):
            return True
        letters, more = bare(before), bare(text)
        return self._is_traced(letters, more) and self._is_read(letters + more, parts)

    def _is_traced(self, letters: str, more: str) -> bool:
        """Return whether a run may end in these letters; the ones before them were checked when they came.

        Asked at each word of an answer: one look rules out all readings, since most words hold no piece of a run.
        """
        return not self._traces.isdisjoint(_pieces(letters[-LEAST_RUN + 1 :] + more))

    def _is_read(self, plain: str, parts: int) -> bool:
        return any(self._holds_run(view, parts) for view in _readings(plain))

    def _holds_run(self, view: str, parts: int) -> bool:
        pieces = _pieces(view)
        if self._pieces.isdisjoint(pieces):
            return False
        return any(piece in self._pieces and self._begins_here(view[at:], parts) for at, piece in enumerate(pieces))

    def _begins_here(self, view: str, parts: int) -> bool:
        for text, run in self._runs.items():
            least = min(max(LEAST_RUN, run // parts), len(text))
            if len(view) >= least and view[:least] in text:
                return True
        return False


def holds_secret(text: str) -> bool:
    """Return whether a text holds a key or the number of a payment card."""
    cards = ("".join(filter(str.isdigit, match.group())) for match in _CARD.finditer(fold_homoglyphs(text)))
    return _KEY.search(text) is not None or any(map(passes_luhn, cards))


def bare(text: str) -> str:
    """Return the letters and digits of a text as the checks read them, in lower case."""
    return _BARE.sub("", fold_homoglyphs(text).lower())


def _pieces(text: str) -> list[str]:
    """Return all pieces of a bare text that are as long as the least run; every run begins with one."""
    return [text[at : at + LEAST_RUN] for at in range(len(text) - LEAST_RUN + 1)]


def _readings(plain: str) -> tuple[str, str, str]:
    return plain, plain[::-1], codecs.encode(plain, "rot13")


def _decoded(text: str) -> Iterator[str]:
    for match in _CODED.finditer(text):
        code = match.group().rstrip("=")
        with suppress(ValueError):  # includes binascii.Error and UnicodeDecodeError
            yield bare(base64.b64decode(code.translate(_URL_SAFE) + "=" * (-len(code) % 4)).decode())
        with suppress(ValueError):
            yield bare(bytes.fromhex(code).decode())
