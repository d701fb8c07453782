"""Recognises postal addresses by their format, in any language: street and number, postal code and city. Pure.

Examples: "Talstraße 8, 79102 Freiburg", "8 rue du Port, 44000 Nantes", "12 High Street, Bristol BS1 4QA". A street's
name is recognised by its capitals and by the word for "street" that some languages put before it.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).parent / "data" / "addresses.json"
_NAME: Final = r"[^\W\d_][\w.'’-]{0,40}"  # limited, like every repetition here, so that very long words cost no time
_NUMBER: Final = r"\d{1,4}(?:\s?[a-zA-Z](?![\w.]))?(?:\s?[-/]\s?\d{1,4}[a-zA-Z]?)?"
_CODE: Final = r"(?:[A-Z]{1,2}[-\s])?(?P<code>\d{4}\s?[A-Z]{2}\b|\d{2}-\d{3}|\d{4,5})(?![\w-])"
_CITY: Final = rf"(?P<city>{_NAME}(?:[^\S\n-]{_NAME}|-{_NAME}){{0,4}})"
_BETWEEN: Final = r"(?P<between>[,;\n\s]+(?:[^,;\n]{2,60}[,;\n]\s*)?)"
_STREET: Final = rf"(?<!\w)(?P<street>{_NAME}(?:\s{_NAME}){{0,5}}),?\s(?P<number>{_NUMBER})"
_FORMS: Final = (
    re.compile(rf"{_STREET}{_BETWEEN}{_CODE}\s+{_CITY}"),
    re.compile(
        rf"(?<![\w-])(?P<number>{_NUMBER}),?\s(?P<first>{_NAME}(?:\s{_NAME}){{0,5}}){_BETWEEN}{_CODE}\s+{_CITY}"
    ),
    re.compile(
        rf"(?<![\w-])(?P<number>{_NUMBER})\s(?P<first>{_NAME}(?:\s{_NAME}){{0,4}})(?P<between>[,;\n]\s*(?:[^,;\n]{{2,60}}[,;\n]\s*)??)"
        rf"{_CITY},?\s+(?P<code>[A-Za-z]{{1,2}}\d[A-Za-z\d]?\s?\d[A-Za-z]{{2}}|(?:[A-Z]{{2}}\s)?\d{{5}}(?:-\d{{4}})?)\b"
    ),
)
_PERSON: Final = re.compile(r"(?P<name>[^\W\d_a-z][\w'’-]+(?:\s[^\W\d_a-z][\w'’-]+){1,3})\s*[,;\n]\s*$")
_AFTER_A_STOP: Final = re.compile(r"(?:^|[.!?\n])\s*$")
_WORD: Final = re.compile(r"[\w-]+")
_ABBREVIATED: Final = 4  # maximum length of an abbreviation: a name continues after "St." but not after "Köln."
_MAX_JOINTS: Final = 3  # lower-case words inside the name of a street or city


def address_in(text: str, *, is_asked: bool = False) -> dict[str, str]:
    """Return the last complete address in the text as the fields of an address schema; {} if there is none."""
    return _found(text, is_asked)[0]


def without_address(text: str) -> str:
    """Return the text with spaces in place of its last address, so that a postal code is not mistaken for an order
    number.
    """
    _, start, end = _found(text, False)
    return f"{text[:start]}{' ' * (end - start)}{text[end:]}"


def _found(text: str, is_asked: bool) -> tuple[dict[str, str], int, int]:
    for form in _FORMS:
        for match in reversed(list(form.finditer(text))):
            leads = match.groupdict().get("street")
            street = _street(leads, text, match.start(), is_asked) if leads else match["first"].strip()
            city = _city(match["city"])
            if not city:
                continue
            start = match.start("street") + len(leads) - len(street) if leads else match.start()
            parts = {
                "line1": f"{street} {match['number'].strip()}" if leads else f"{match['number'].strip()} {street}",
                "postal_code": match["code"].strip(),
                "city": city,
                "line2": match["between"].strip(" ,;\n"),
                "country": _country(text[match.end() - len(match["city"]) :]),
                "name": named["name"] if (named := _PERSON.search(text[:start])) else "",
            }
            end = max(match.start("city") + len(city), match.end("code"))
            return {part: value for part, value in parts.items() if value}, start, end
    return {}, 0, 0


def _street(written: str, text: str, start: int, is_asked: bool) -> str:
    """Return the street without the words before it: the capitalised words at the end of the text."""
    parts, streets = written.split(), _words()["streets"]
    first = len(parts) - 1
    while first > 0:
        before = next(
            (back for back in range(1, _MAX_JOINTS + 2) if back <= first and _begins(parts[first - back], streets)), 0
        )
        if not before:
            break
        is_at_start = first == before and not is_asked and _AFTER_A_STOP.search(text[:start]) is not None
        if is_at_start and parts[0].lower() not in streets:
            break
        first -= before
        if parts[first].lower() in streets:
            break
    return " ".join(parts[first:])


def _begins(word: str, streets: list[str]) -> bool:
    return word[0].isupper() or word.lower() in streets


def _city(text: str) -> str:
    """Return the city's name without the words after it: "Frankfurt am Main", but "Freiburg" for "Freiburg instead"."""
    parts = text.split()
    if not parts or _country(parts[0]):
        return ""
    if not parts[0][0].isupper():
        return parts[0]
    last = 0
    while True:
        further = (
            ahead for ahead in range(1, _MAX_JOINTS) if last + ahead < len(parts) and parts[last + ahead][0].isupper()
        )
        step = next(further, 0)
        is_end = len(parts[last]) > _ABBREVIATED and parts[last].endswith(".")
        if is_end or not step or _country(" ".join(parts[last + 1 : last + step + 1])):
            return " ".join(parts[: last + 1]).rstrip(".,")
        last += step


def _country(text: str) -> str:
    padded = " ".join(["", *_WORD.findall(text.lower()), ""])
    countries = _words()["countries"].items()
    return next((code for code, names in countries if any(f" {name} " in padded for name in names)), "")


@cache
def _words() -> Mapping[str, Any]:
    """Return the words for streets and the names of countries, in all languages."""
    words: Mapping[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return words
