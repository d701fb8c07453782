"""Finds out which number a message means: "L-4411 instead of L-4412", "not L-4412 but L-4411". Pure.

Such words may also report what happened ("you sent L-4411 instead of L-4412"), in which case the customer may mean
either number. So a message is read this way only if it says nothing else. Otherwise, the number is unclear, and the
customer is asked.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from supportbot.builtin.actions.word_lists import word_lists
from supportbot.language.detection import base_language, detect
from supportbot.language.operators import operators
from supportbot.language.sentences import QUESTIONS
from supportbot.language.words import stop_words, words

Placed = tuple[int, int, str]  # start and end of a number in a text, and its value

_TOKEN: Final = re.compile(r"\S+")
_SENTENCE: Final = re.compile(r"[.!?;\n](?:\s|$)")
_BETWEEN: Final = 2  # maximum number of small words between "instead of" and the number
_MARKS: Final = ".,;:!?…"


def meant_in(text: str, locale: str, numbers: Sequence[Placed], request_words: Collection[str]) -> str | None:
    """Return the text without those of its `numbers` that it says are not meant.

    Return None if it is unclear which number is meant: a denied number also appears elsewhere, there is not exactly one
    other number, or the text contains words that neither belong to the request (`request_words`, in lower case) nor go
    with a number.
    """
    if len({value for _, _, value in numbers}) < 2:
        return text
    language = detect(text, base_language(locale))
    tokens = _tokens(text, numbers)
    denied = set(_denied(tokens, language))
    if not denied:
        return text
    values = {numbers[at][2] for at in denied if at >= 0}
    others = {value for at, (_, _, value) in enumerate(numbers) if at not in denied}
    if -1 in denied or len(others) != 1 or values & others or not _has_only(tokens, language, request_words):
        return None
    for at in sorted(denied, reverse=True):
        start, end, _ = numbers[at]
        text = text[:start] + text[end:]
    return text


def denies_all(text: str, locale: str, numbers: Sequence[Placed], request_words: Collection[str]) -> bool:
    """Return whether the text contains `numbers` and says that none of them is meant: "not L-4412, sorry". A question
    with other words does not count, because it may be about the number ("Why hasn't L-4412 arrived?").
    """
    language, tokens = detect(text, base_language(locale)), _tokens(text, numbers)
    is_denied = bool(numbers) and set(_denied(tokens, language)) == set(range(len(numbers)))
    is_question = any(sign in text for sign in QUESTIONS)
    return is_denied and (not is_question or _has_only(tokens, language, request_words))


def _tokens(text: str, numbers: Sequence[Placed]) -> list[tuple[str, int | None]]:
    """Return the words of the text in order, each with the index of the number that it is, or None. A number of several
    words is one token.
    """
    tokens: list[tuple[str, int | None]] = []
    for one in _TOKEN.finditer(text):
        at = next((at for at, (start, end, _) in enumerate(numbers) if start < one.end() and one.start() < end), None)
        if at is None or at not in (known for _, known in tokens):
            tokens.append((one[0], at))
        else:
            tokens[-1] = (f"{tokens[-1][0]} {one[0]}", at)
    return tokens


def _denied(tokens: Sequence[tuple[str, int | None]], language: str) -> Iterator[int]:
    """Yield the indices of the numbers that are denied or replaced, and -1 if it is unclear which number is."""
    lists, said = word_lists(), [token for token, _ in tokens]
    for _, end in _phrases(said, lists["instead_of"].get(language, ())):
        yield from _next_number(tokens, end, language) or _later_number(tokens, end)
    for start, _ in _phrases(said, lists["instead_of_before"].get(language, ())):
        yield from _number_at(tokens, start - 1)
    for at, token in enumerate(said):
        # "No, L-4411" denies nothing.
        if tokens[at][1] is None and operators(token, language).get("not") and token[-1] not in _MARKS:
            is_behind = language in lists["not_behind"]
            yield from _number_at(tokens, at - 1) if is_behind else _next_number(tokens, at + 1, language)


def _phrases(said: Sequence[str], phrases: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each occurrence of these phrases."""
    spoken = [words(token) for token in said]
    for phrase in phrases:
        wanted = [[word] for word in words(phrase)]
        for start in range(len(said) - len(wanted) + 1):
            if spoken[start : start + len(wanted)] == wanted:
                yield start, start + len(wanted)


def _number_at(tokens: Sequence[tuple[str, int | None]], at: int) -> list[int]:
    return [number for _, number in tokens[max(at, 0) : max(at + 1, 0)] if number is not None]


def _next_number(tokens: Sequence[tuple[str, int | None]], start: int, language: str) -> list[int]:
    """Return a list with the index of the number that follows, after at most a few small words; [] if none follows."""
    for token, number in tokens[start : start + _BETWEEN + 1]:
        if number is not None:
            return [number]
        if not set(words(token)) <= stop_words(language):
            return []
    return []


def _later_number(tokens: Sequence[tuple[str, int | None]], start: int) -> list[int]:
    """Return [-1] if a number follows later in the sentence, as in "instead of my other order 4412"; otherwise, []."""
    for token, number in tokens[start:]:
        if number is not None:
            return [-1]
        if _SENTENCE.search(token):
            return []
    return []


def _has_only(tokens: Sequence[tuple[str, int | None]], language: str, request_words: Collection[str]) -> bool:
    """Return whether the text contains only words that replace or correct a number or that belong to a request."""
    lists = word_lists()
    phrases = (*lists["instead_of"].get(language, ()), *lists["instead_of_before"].get(language, ()), *lists["meant"])
    known = {word for phrase in phrases for word in words(phrase)}
    known |= {*lists["beside_numbers"].get(language, ()), *request_words}
    said = [token for token, number in tokens if number is None]
    return all(set(words(token)) <= known or _is_operator(token, language) for token in said)


def _is_operator(token: str, language: str) -> bool:
    return not {"not", "instead"}.isdisjoint(operators(token, language))
