"""Finds values in text that follow a shop's own format, such as "U-101" or "0176 1234567". Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\s,;]+")
_WORDS_MOST: Final = 10  # words; an IBAN written in groups has up to nine
# The maximum length of text that is matched with a pattern. `actions.definitions` ensures that this takes about 2 ms at
# most.
_CHARACTERS_MOST: Final = 100
_SPANS_MOST: Final = 60  # maximum number of multi-word parts to match, because anyone can write a long message
_CODE_MOST: Final = 40  # characters of a value that may be corrected; a hyphen may be missing after each of them
_FIGURE: Final = re.compile(r"[+(]*[0-9]+[)]?")
_BLANKS: Final = re.compile(r"[^\S\r\n]+")
_NO_BLANK: Final = re.compile(r"(?:\\[dw]|\\[^\w\s]|\[(?!\^)|[^\\\s.\[])*+")  # patterns that match no spaces
_ENDS: Final = ".:!?"
_QUOTES: Final = "\"'“”„«»()[]"

_Span = tuple[int, int]


def value_in(pattern: str, text: str, *, is_asked: bool) -> str | None:
    """Return the first value in this format that the text contains, preferably one with digits; None if there is none.
    In an answer, the spelling may differ slightly.
    """
    found = stretches_in(pattern, text, is_asked=is_asked)
    if not found:
        return nearly_in(pattern, text) if is_asked else None
    return next(filter(_has_digit, found), found[0])


def stretches_in(pattern: str, text: str, *, is_asked: bool) -> list[str]:
    """Return the longest parts of the text that have this format. Each consists of whole words, and none begins inside
    a group of digits: "0176 1234567" does not contain "1234567".

    A format of letters and spaces would match any sentence. So if the customer was not asked, each word of a part with
    several words needs a digit, and a word without digits counts only if nothing else matches.
    """
    found = [span for _, _, span in placed_stretches(pattern, text, is_asked=is_asked)]
    if is_asked:
        return found
    return [span for span in found if _has_digits(span)] or (found if len(found) == 1 else [])


def placed_stretches(pattern: str, text: str, *, is_asked: bool) -> list[tuple[int, int, str]]:
    """Return the longest parts of the text that have this format as (start, end, value), including words without
    digits.
    """
    form, has_blanks = form_of(pattern), _NO_BLANK.fullmatch(pattern) is None

    def may_be(span: str) -> bool:
        is_of_its_words = len(span.split()) == 1 or (has_blanks and (is_asked or _has_digits(span)))
        return is_of_its_words and len(_bare(span)) <= _CHARACTERS_MOST

    return _longest(text, lambda span: _of_form(form, span), may_be)


def nearly_in(pattern: str, text: str) -> str | None:
    """Return the value in this format that the text means although its case, spaces or hyphens differ: "u101" means
    "U-101". Return None if there is no such value, if there are several, or if the text is full of numbers.
    """
    if sum(map(_has_digit, _WORD.findall(text))) > _SPANS_MOST:
        return None
    form, whole = form_of(pattern), text.strip()

    def read(span: str) -> str:
        # In a sentence, "in 2024" does not mean "IN2024".
        return _nearly(form, span, keeps_case=span != whole and not _has_digits(span))

    found = {value for _, _, value in _longest(text, read, _may_be_corrected)}
    return found.pop() if len(found) == 1 else None


def form_of(pattern: str) -> re.Pattern[str]:
    """Return a compiled pattern for matching whole values."""
    return re.compile(pattern, re.ASCII)


def _longest(text: str, read: Callable[[str], str], may_be: Callable[[str], bool]) -> list[tuple[int, int, str]]:
    """Return (start, end, value) for the longest parts of the text that `read` returns a value for. Parts of several
    words are read only if they pass `may_be`.
    """
    found = list[tuple[int, int, str]]()
    words = [word.span() for word in _WORD.finditer(text)]
    joined = _joined(text, words, may_be)
    first, taken = 0, -1
    while first < len(words):
        is_inside = first - 1 != taken and _is_among_digits(text, words, first)
        for last in () if is_inside else (*joined.get(first, ()), first):
            start, end = words[first][0], words[last][1]
            if span := read(text[start:end]):
                found.append((start, end, span))
                first = taken = last
                break
        first += 1
    return found


def _joined(text: str, words: Sequence[_Span], may_be: Callable[[str], bool]) -> Mapping[int, Sequence[int]]:
    """Return the multi-word parts to read: by the index of the first word, the indices of possible last words, longest
    part first. If there are too many parts, those that begin and end with digits are preferred.
    """
    spans = [
        (first, last)
        for first in range(len(words))
        for last in range(min(first + _WORDS_MOST, len(words)) - 1, first, -1)
        if may_be(text[words[first][0] : words[last][1]])
    ]
    spans.sort(key=lambda span: sum(not _has_digit(text[slice(*words[end])]) for end in span))
    by_first = defaultdict[int, list[int]](list)
    for first, last in sorted(spans[:_SPANS_MOST], reverse=True):
        by_first[first].append(last)
    return by_first


def _is_among_digits(text: str, words: Sequence[_Span], at: int) -> bool:
    """Return whether a word continues the number before it, with only spaces between them."""
    if not at or not text[words[at][0]].isdigit():
        return False
    (begins, ends), beginning = words[at - 1], words[at][0]
    return _BLANKS.fullmatch(text, ends, beginning) is not None and _FIGURE.fullmatch(text, begins, ends) is not None


def _of_form(form: re.Pattern[str], span: str) -> str:
    """Return the text if it has this format, possibly after the punctuation around it is removed; otherwise, ""."""
    plain = span.strip(_ENDS)
    if len(_bare(span)) > _CHARACTERS_MOST:
        return ""
    spellings = dict.fromkeys(one for one in (plain, _bare(plain), span) if len(one) <= _CHARACTERS_MOST)
    return next(filter(form.fullmatch, spellings), "")


def _may_be_corrected(span: str) -> bool:
    return len(_bare(span)) <= _CODE_MOST and _has_digit(span)


def _nearly(form: re.Pattern[str], span: str, *, keeps_case: bool) -> str:
    """Return the only corrected spelling of the text that has digits and matches this format, trying small changes
    first; "" if there is none or several.
    """
    if not _may_be_corrected(span):
        return ""
    plain = _bare(span)
    closed = re.sub(r"[\s-]", "", plain)
    hyphenated = {f"{closed[:at]}-{closed[at:]}" for at in range(1, len(closed))}
    for spellings in ({plain}, {closed}, {re.sub(r"\s+", "-", plain), *hyphenated}):
        written = spellings if keeps_case else {case(one) for one in spellings for case in (str.upper, str.lower)}
        readings = set(filter(form.fullmatch, written))
        if readings:
            return readings.pop() if len(readings) == 1 else ""
    return ""


def _bare(span: str) -> str:
    return span.strip(_ENDS + _QUOTES)


def _has_digit(span: str) -> bool:
    return any(sign.isdigit() for sign in span)


def _has_digits(span: str) -> bool:
    """Return whether each word has a digit."""
    return all(map(_has_digit, span.split()))
