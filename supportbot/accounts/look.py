"""How a channel looks and speaks: its greeting, suggestions, name and colour, and what may be stored of each.

Values in, values out; the checks stand on the model's fields, so console, REST and commands refuse with the same words.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from unicodedata import category

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator

from supportbot.accounts.colour import DARK, LIGHT, fit
from supportbot.language.detection import base_language

T = TypeVar("T")
MAX_SUGGESTIONS: Final = 3
MAX_SUGGESTION_CHARACTERS: Final = 80
MAX_GREETING_CHARACTERS: Final = 300
MAX_LANGUAGES: Final = 20
_NO_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, half pairs, line and paragraph ends
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?", re.ASCII)

is_colour: Final = RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", "Give a colour such as #1f5b45.")
is_web_address: Final = URLValidator(
    schemes=["https", "http"], message="Give an address such as https://shop.example/privacy."
)

_FILE: Final = Path(__file__).with_name("data") / "greetings.json"
_GREETINGS: Final[dict[str, str]] = json.loads(_FILE.read_text(encoding="utf-8"))["texts"]
_GAP: Final = re.compile(r"^\{name\}[,.!]?\s*|,?\s*\{name\}")
_NO_NAME: Final = re.compile(r"[@{}<>\d]")
_TITLES: Final = frozenset(["herr", "frau", "mr", "mrs", "ms", "mx", "dr", "prof", "the"])
_MOST_OF_A_NAME: Final = 40


def in_language(texts: Mapping[str, T], locale: str) -> T | None:
    """Return what is there for exactly this locale, else for its language."""
    by_name = {name.replace("_", "-").lower(): text for name, text in texts.items()}
    return by_name.get(locale.replace("_", "-").lower(), by_name.get(base_language(locale)))


def greeting_in(locale: str, *, own: str, own_locale: str, others: Mapping[str, str]) -> str:
    """Return the greeting for a conversation in a locale: the channel's own words, else ours in that language."""
    written = in_language(others, locale)
    if written is None and base_language(own_locale) == base_language(locale):
        written = own
    return written or _GREETINGS.get(base_language(locale)) or own or _GREETINGS["en"]


def addressed(greeting: str, name: str) -> str:
    """Return a greeting with a customer's first name in place of `{name}`; without one the gap closes.

    The whole name stands where its first part is a title or an initial, none where it is no name one greets with.
    """
    last, comma, others = name.partition(",")
    parts = (others if comma and others.strip() else last).split()
    shown = " ".join(parts) if _is_no_first_name(parts[0] if parts else "") else parts[0]
    if not any(char.isalpha() for char in shown) or len(shown) > _MOST_OF_A_NAME or _NO_NAME.search(shown):
        return _GAP.sub("", greeting)
    return greeting.replace("{name}", shown.rstrip("."))


def _is_no_first_name(part: str) -> bool:
    return part.endswith(".") or len(part) < 2 or part.lower() in _TITLES


def look_of(accent: str) -> dict[str, Any]:
    """Return the accent's colours for light and dark, fit to be read on both; empty for the product's own look."""
    return {"accent": accent, "light": fit(accent, LIGHT), "dark": fit(accent, DARK)} if accent else {}


def are_suggestions(value: object) -> None:
    """Raise ValidationError unless it is {locale: [up to three short lines]}."""
    for locale, lines in _by_locale(value).items():
        if not isinstance(lines, list) or len(lines) > MAX_SUGGESTIONS:
            raise ValidationError(f"{locale}: give a list of at most {MAX_SUGGESTIONS} suggestions.")
        for line in lines:
            _check_line(locale, line, MAX_SUGGESTION_CHARACTERS)


def are_greetings(value: object) -> None:
    """Raise ValidationError unless it is {locale: greeting}."""
    for locale, line in _by_locale(value).items():
        _check_line(locale, line, MAX_GREETING_CHARACTERS)


def _by_locale(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or len(value) > MAX_LANGUAGES:
        raise ValidationError(f"Give texts by language, of at most {MAX_LANGUAGES} languages.")
    for locale in value:
        if not isinstance(locale, str) or not LOCALE.fullmatch(locale):
            raise ValidationError(f"{str(locale)[:20]!r} is no language such as en or de-AT.")
    return value


def _check_line(locale: str, line: object, limit: int) -> None:
    if not isinstance(line, str) or not line.strip() or any(category(char) in _NO_LINE for char in line):
        raise ValidationError(f"{locale}: give one line of text.")
    if len(line) > limit:
        raise ValidationError(f"{locale}: a line has at most {limit} characters.")
