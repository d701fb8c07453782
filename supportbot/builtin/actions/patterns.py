"""The values of a form of the shop's own, such as "U-101" or "0176 1234567", that a text states. Pure."""

import re
from collections.abc import Callable
from typing import Final

_WORD: Final = re.compile(r"[^\s,;]+")
_WORDS_MOST: Final = 10  # an IBAN has up to nine, written in groups
_CHARACTERS_MOST: Final = (
    100  # of a text with a pattern, for which `actions.definitions` bounds how long matching takes
)
_CODE_MOST: Final = 40  # characters of a value that is corrected; each is a place for a hyphen
_FIGURE: Final = re.compile(r"[+(]*[0-9]+[)]?")
_ENDS: Final = ".:!?"
_QUOTES: Final = "\"'“”„«»()[]"


def stretches_in(pattern: str, text: str, *, is_asked: bool) -> list[str]:
    """Return the parts of a text that have this form, each from the beginning of a word to the end of one, as long as
    possible. None begins among digits: "0176 1234567" holds no "1234567".

    Unasked, each of several words needs a digit, and a word without one counts if no other has the form: a form of
    letters and spaces takes any sentence.
    """
    form = re.compile(pattern, re.ASCII)
    if is_asked:
        return _longest(text, lambda said: _of_form(form, said))
    found = _longest(text, lambda said: value if _is_telling(value := _of_form(form, said)) else "")
    return [said for said in found if _has_digits(said)] or (found if len(found) == 1 else [])


def nearly_in(pattern: str, text: str) -> str | None:
    """Return the only value of this form that is meant by a text written in the other case, with other spaces or
    without a hyphen: "u101" for "U-101". None if there is none, or more than one.
    """
    form = re.compile(pattern, re.ASCII)
    found = set(_longest(text, lambda said: _nearly(form, said)))
    return found.pop() if len(found) == 1 else None


def _longest(text: str, read: Callable[[str], str]) -> list[str]:
    """Return what is read from the longest parts of a text that can be read."""
    found = list[str]()
    spans = [word.span() for word in _WORD.finditer(text)]
    first, taken = 0, -1
    while first < len(spans):
        beginning = spans[first][0]
        before = text[slice(*spans[first - 1])] if first and first - 1 != taken else ""
        is_inside = _FIGURE.fullmatch(before) is not None and text[beginning].isdigit()
        for last in [] if is_inside else range(min(first + _WORDS_MOST, len(spans)) - 1, first - 1, -1):
            if said := read(text[beginning : spans[last][1]]):
                found.append(said)
                first = taken = last
                break
        first += 1
    return found


def _of_form(form: re.Pattern[str], said: str) -> str:
    """Return a text that has this form, if need be without the signs around it, "" if it has not."""
    plain = said.strip(_ENDS)
    if len(plain) > _CHARACTERS_MOST:
        return ""
    return next((one for one in (plain, plain.strip(_ENDS + _QUOTES), said) if form.fullmatch(one)), "")


def _nearly(form: re.Pattern[str], said: str) -> str:
    """Return the only reading of a text with digits that has this form: with fewer changes before one with more."""
    plain = said.strip(_ENDS + _QUOTES)
    if len(plain) > _CODE_MOST or not any(sign.isdigit() for sign in plain):
        return ""
    closed = re.sub(r"[\s-]", "", plain)
    hyphenated = {f"{closed[:at]}-{closed[at:]}" for at in range(1, len(closed))}
    for spellings in ({plain}, {closed}, {re.sub(r"\s+", "-", plain), *hyphenated}):
        readings = {cased for one in spellings for cased in (one.upper(), one.lower()) if form.fullmatch(cased)}
        if readings:
            return readings.pop() if len(readings) == 1 else ""
    return ""


def _is_telling(said: str) -> bool:
    return " " not in said or _has_digits(said)


def _has_digits(said: str) -> bool:
    return all(any(sign.isdigit() for sign in word) for word in said.split())
