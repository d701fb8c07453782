"""Finds personal data with a recognisable format: e-mail addresses, payment cards, IBANs, telephone numbers. Pure.

Names and streets have no format and are not found. Order numbers, dates, times and amounts are not personal data:
digits without a checksum count only if they are written like a telephone number.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

Kind = Literal["EMAIL", "CARD", "IBAN", "PHONE"]

_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# 14 to 19 digits, in one piece or in groups as on cards. Old cards have 13, but so do product bar codes.
_CARD: Final = re.compile(r"(?<![\w#])(?<!\w[-./])(?:\d{14,19}|\d{4}(?:[ \u00a0.-]\d{3,7}){2,4})(?![-./]?\w)")
# First digits by network (ISO/IEC 7812): 3 to 6, and 22 to 27 for Mastercard's newer range.
_ISSUERS: Final = re.compile(r"[3-6]|2[2-7]")
_IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
# The length of an IBAN by country (ISO 13616 registry), so that a word after it is not mistaken for part of it.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_GAP: Final = r"[ \u00a0]?[-/]?[ \u00a0]?"
_PHONE: Final = re.compile(
    rf"""
    (?<![\w#€$£¥+])(?<!\w[-./])
    (?: (?:\+|00)[1-9](?:[ \u00a0]?[-/.()]?[ \u00a0]?\d){{7,14}}      # +49 (0)761 123456, 0049761123456
      | \(0[1-9]\d{{0,4}}\){_GAP}\d(?:[ \u00a0-]?\d){{4,9}}           # (0761) 123456
      | 0[1-9](?:{_GAP}\d){{7,10}}                                    # 0761/123456, 015123456789, 06 12 34 56 78
      | 0[1-9](?:\.\d{{2}}){{4}}                                      # 06.12.34.56.78
      | (?:1[ .-])?\([2-9]\d\d\)[ \u00a0]?\d{{3}}[ .-]?\d{{4}}        # (727) 760-7806
      | (?<!\d[ \u00a0])(?:
          (?:1[ .-])?[2-9]\d\d(?P<apart>[ .-])\d{{3}}(?P=apart)\d{{4}}  # 727-760-7806
        | [5-9]\d\d[ \u00a0]\d{{3}}[ \u00a0]\d{{3}}                     # 601 234 567
        | [5-9]\d\d(?:[ \u00a0]\d\d){{3}}                               # 612 34 56 78
        )
    )
    (?![-./]?\w|[ \u00a0]?[-./]?[ \u00a0]?\d|[ \u00a0]?[€$£¥%]|[,:]\d)
    """,
    re.VERBOSE,
)
# A card or telephone number has at least seven digits, with at most four other characters between neighbouring digits.
# Finding such places takes a tenth of the time of trying a pattern at each character.
_MANY_DIGITS: Final = re.compile(r"\d(?:\D{0,4}\d){6,}")
_BEFORE: Final = 1  # characters of a number before its first digit: "+" or "("
_BEHIND: Final = 4  # characters after a number that the patterns look at
_Places = Sequence[re.Match[str]]
# The beginning of an account number. The search starts from digits, which are rarer than letters.
_BEGINS_ACCOUNT: Final = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)")
_DATE: Final = re.compile(
    r"(?<!\d)(?<!\d[./-])(?:\d\d?([./-])\d\d?\1(?:\d{4}|\d\d)|\d{4}([./-])\d\d?\2\d\d?)(?![./-]?\d)"
)
LEAST_NAME: Final = 3  # letters; shorter names are parts of other words
_NAME_PART: Final = re.compile(r"\w+")
# Scripts without capitals from Thai upwards in Unicode are written without spaces between words.
_UNSPACED_FROM: Final = "\u0e00"


@dataclass(frozen=True, slots=True)
class Personal:
    """An item of personal data in the text. `key` is the same for all spellings of a value."""

    kind: Kind
    start: int
    text: str
    key: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def personal_data_in(text: str) -> list[Personal]:
    """Return the personal data in the text, in order and without overlaps."""
    free = 0
    found: list[Personal] = []
    places = list(_MANY_DIGITS.finditer(text))
    numbers = chain(_cards(text, places), _phones(text, places)) if places else ()
    for one in sorted(chain(_emails(text), _accounts(text), numbers), key=_rank):
        if one.start >= free:
            found.append(one)
            free = one.end
    return found


def without_personal_data(text: str) -> str:
    """Return the text with each item of personal data replaced by a placeholder for its kind."""
    return replaced(text, personal_data_in(text), lambda one: f"[{one.kind}]")


def replaced(text: str, found: Iterable[Personal], mark: Callable[[Personal], str]) -> str:
    """Return the text with the given items of personal data, which must be in order, replaced by placeholders."""
    parts, end = [], 0
    for one in found:
        parts += [text[end : one.start], mark(one)]
        end = one.end
    return "".join((*parts, text[end:]))


def _rank(one: Personal) -> tuple[int, int]:
    return one.start, ("EMAIL", "IBAN", "CARD", "PHONE").index(one.kind)


def _emails(text: str) -> Iterator[Personal]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Personal("EMAIL", match.start(), match[0], match[0].lower())


def _accounts(text: str) -> Iterator[Personal]:
    for match in _IBAN.finditer(text) if _BEGINS_ACCOUNT.search(text) else ():
        length = _IBAN_LENGTHS.get(match[0][:2].upper())
        taken = "" if length is None else _first_letters(match[0], length)
        key = _bare(taken).upper()
        is_whole = not text[match.start() + len(taken) :][:1].isalnum()
        if len(key) == length and is_whole and _passes_mod_97(key):
            yield Personal("IBAN", match.start(), taken, key)


def _cards(text: str, places: _Places) -> Iterator[Personal]:
    for match in _numbers(_CARD, text, places):
        digits = _bare(match[0])
        if 14 <= len(digits) <= 19 and _ISSUERS.match(digits) and passes_luhn(digits):
            yield Personal("CARD", match.start(), match[0], digits)


def _phones(text: str, places: _Places) -> Iterator[Personal]:
    found = list(_numbers(_PHONE, text, places))
    dates = [match.span() for match in _DATE.finditer(text)] if found else []
    for match in found:
        if not any(start < match.end() and match.start() < end for start, end in dates):
            yield Personal("PHONE", match.start(), match[0], _bare(match[0]))


def _numbers(pattern: re.Pattern[str], text: str, places: _Places) -> Iterator[re.Match[str]]:
    """Yield the matches of a pattern for numbers with at least seven digits. Only these places are searched."""
    for place in places:
        yield from pattern.finditer(text, max(0, place.start() - _BEFORE), place.end() + _BEHIND)


def _first_letters(text: str, count: int) -> str:
    """Return the beginning of the text up to and including its `count`th letter or digit."""
    for place, char in enumerate(text):
        count -= char.isalnum()
        if not count:
            return text[: place + 1]
    return text


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _passes_mod_97(account: str) -> bool:
    return int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1


def passes_luhn(number: str) -> bool:
    """Return whether a card number's check digit is right; a number that repeats a single digit is invalid."""
    digits = [int(char) for char in number]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def without_names(text: str, marks: Mapping[str, str]) -> str:
    """Return the text with each of these names, whole or in parts, replaced by its placeholder."""
    for name, mark in marks.items():
        for part in dict.fromkeys((name, *_NAME_PART.findall(name))):
            # If words are not separated, neither are names, and two characters can be a whole name.
            is_apart = part.lower() != part.upper() or part[:1] < _UNSPACED_FROM
            if len(part) >= (LEAST_NAME if is_apart else 2):
                border = r"\b" if is_apart else ""
                text = re.sub(f"{border}{re.escape(part)}{border}", mark, text, flags=re.IGNORECASE)
    return text
