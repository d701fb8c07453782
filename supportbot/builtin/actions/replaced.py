"""Removes the number that a message replaces by another: "L-4411 instead of L-4412", "not L-4412 but L-4411". Pure.

Only a number with at least three digits counts, so that days and quantities stay for the rules about them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from supportbot.builtin.actions.word_lists import word_lists
from supportbot.language.detection import detect
from supportbot.language.operators import operators
from supportbot.language.words import stop_words, words

_TOKEN: Final = re.compile(r"\S+")
_BETWEEN: Final = 2  # small words between "instead of" and the number
_AROUND: Final = " .,;:!?…()\"'„“”«»"
_LEAST_DIGITS: Final = 3


def without_replaced(text: str, locale: str) -> str:
    """Return a text without the numbers that it says are not meant, if it names another number; otherwise unchanged."""
    tokens = [(one.start(), one.end(), one[0]) for one in _TOKEN.finditer(text)]
    said = [token for _, _, token in tokens]
    codes = {at: token.strip(_AROUND) for at, token in enumerate(said) if _is_code(token)}
    if len(set(codes.values())) < 2:
        return text
    denied = {codes[at] for at in _replaced(said, detect(text, locale)) if at in codes}
    if not denied or denied == set(codes.values()):
        return text
    for at, code in sorted(codes.items(), reverse=True):
        if code in denied:
            start, end, _ = tokens[at]
            text = text[:start] + text[end:]
    return text


def _is_code(token: str) -> bool:
    return sum(map(str.isdigit, token)) >= _LEAST_DIGITS


def _replaced(said: Sequence[str], language: str) -> Iterator[int]:
    """Yield the positions of the tokens that are denied or replaced."""
    lists = word_lists()
    for _, end in _phrases(said, lists["instead_of"].get(language, ())):
        yield from _next_code(said, end, language)
    for start, _ in _phrases(said, lists["instead_of_before"].get(language, ())):
        yield start - 1
    for at, token in enumerate(said):
        # "No, L-4411" denies nothing.
        if operators(token, language).get("not") and token[-1] not in _AROUND:
            if language in lists["not_behind"]:
                yield at - 1
            else:
                yield from _next_code(said, at + 1, language)


def _phrases(said: Sequence[str], phrases: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each of these phrases."""
    spoken = [words(token) for token in said]
    for phrase in phrases:
        wanted = [[word] for word in words(phrase)]
        for start in range(len(said) - len(wanted) + 1):
            if spoken[start : start + len(wanted)] == wanted:
                yield start, start + len(wanted)


def _next_code(said: Sequence[str], start: int, language: str) -> Iterator[int]:
    """Yield the position of the number that follows, at most behind a few small words."""
    for at in range(start, min(start + _BETWEEN + 1, len(said))):
        if _is_code(said[at]):
            yield at
            return
        if not set(words(said[at])) <= stop_words(language):
            return
