"""The values of a form of the shop's own, such as "U-101" or "0176 1234567", that a text states. Pure."""

import re
from typing import Final

_WORD: Final = re.compile(r"[^\s,;]+")
_WORDS_MOST: Final = 10  # an IBAN has up to nine, written in groups
_CHARACTERS_MOST: Final = (
    100  # of a text with a pattern, for which `actions.definitions` bounds how long matching takes
)
_FIGURE: Final = re.compile(r"[+(]*[0-9]+[)]?")
_ENDS: Final = ".:!?"
_QUOTES: Final = "\"'“”„«»()[]"


def stretches_in(pattern: str, text: str, *, is_asked: bool) -> list[str]:
    """Return the parts of a text that have this form, each from the beginning of a word to the end of one, as long as
    possible. None begins among digits: "0176 1234567" holds no "1234567".

    Unasked, each of several words needs a digit, and a word without one counts if no other has the form: a form of
    letters and spaces takes any sentence.
    """
    form, found = re.compile(pattern, re.ASCII), list[str]()
    spans = [word.span() for word in _WORD.finditer(text)]
    first, taken = 0, -1
    while first < len(spans):
        beginning = spans[first][0]
        before = text[slice(*spans[first - 1])] if first and first - 1 != taken else ""
        is_inside = _FIGURE.fullmatch(before) is not None and text[beginning].isdigit()
        for last in [] if is_inside else range(min(first + _WORDS_MOST, len(spans)) - 1, first - 1, -1):
            said = _of_form(form, text[beginning : spans[last][1]])
            if said and (is_asked or last == first or _has_digits(said)):
                found.append(said)
                first = taken = last
                break
        first += 1
    return found if is_asked else _telling(found)


def _telling(found: list[str]) -> list[str]:
    """Return what a form surely means: whatever has digits, else the only word."""
    return [said for said in found if _has_digits(said)] or (found if len(found) == 1 else [])


def _of_form(form: re.Pattern[str], said: str) -> str:
    """Return a text that has this form, if need be without the signs around it, "" if it has not."""
    plain = said.strip(_ENDS)
    if len(plain) > _CHARACTERS_MOST:
        return ""
    return next((one for one in (plain, plain.strip(_ENDS + _QUOTES), said) if form.fullmatch(one)), "")


def _has_digits(said: str) -> bool:
    return all(any(sign.isdigit() for sign in word) for word in said.split())
