"""A channel's branding: greeting, suggestions, name and colour, and how each is validated.

Pure. The model's fields use the validators, so the console, REST and commands refuse values with the same messages.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeVar
from unicodedata import category

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.colour import DARK, LIGHT, fit
from supportbot.language.detection import base_language
from supportbot.language.words import person_titles
from supportbot.team_formats import labelled
from supportbot.translation import language_of, msgid, text_in

T = TypeVar("T")
MAX_SUGGESTIONS: Final = 3
MAX_SUGGESTION_CHARACTERS: Final = 80
MAX_GREETING_CHARACTERS: Final = 300
MAX_LANGUAGES: Final = 20
_NOT_IN_A_LINE: Final = frozenset(
    {"Cc", "Cs", "Zl", "Zp"}
)  # control characters, surrogates, line and paragraph separators
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?", re.ASCII)

colour_validator: Final = RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", _("Enter a colour such as #1f5b45."))
web_address_validator: Final = URLValidator(
    schemes=["https", "http"], message=_("Enter an address such as https://shop.example/privacy.")
)

_GREETING: Final = msgid("Hello {name}. What can I do for you?")
_NAME_PLACEHOLDER: Final = re.compile(r"^\{name\}[,.!]?\s*|,?\s*\{name\}")
_BRACE: Final = re.compile(r"[{}]")
_NOT_IN_A_NAME: Final = re.compile(r"[@{}<>\d]")
_MAX_NAME_CHARACTERS: Final = 40


def in_language(texts: Mapping[str, T], locale: str) -> T | None:
    """Return the entry for exactly this locale or, if there is none, for its language."""
    by_name = {name.replace("_", "-").lower(): text for name, text in texts.items()}
    return by_name.get(locale.replace("_", "-").lower(), by_name.get(base_language(locale)))


def greeting_in(locale: str, *, own: str, own_locale: str, others: Mapping[str, str]) -> str:
    """Return the greeting in a locale: the channel's own, or the default in that language if it has none."""
    written = in_language(others, locale)
    if written is None and base_language(own_locale) == base_language(locale):
        written = own
    is_ours = language_of(locale).partition("-")[0] == base_language(locale)
    return written or (text_in(locale, _GREETING) if is_ours else own or _GREETING)


def personalised_greeting(greeting: str, name: str) -> str:
    """Return a greeting in which `{name}` is replaced with the customer's first name, or removed if there is no name.

    If the first word is a title or an initial, the whole name is used. An unsuitable name is left out.
    """
    last, comma, others = name.partition(",")
    parts = (others if comma and others.strip() else last).split()
    shown = " ".join(parts) if _is_title_or_initial(parts[0] if parts else "") else parts[0]
    if not any(char.isalpha() for char in shown) or len(shown) > _MAX_NAME_CHARACTERS or _NOT_IN_A_NAME.search(shown):
        return _NAME_PLACEHOLDER.sub("", greeting)
    return greeting.replace("{name}", shown.rstrip("."))


def _is_title_or_initial(part: str) -> bool:
    return part.endswith(".") or len(part) < 2 or part.casefold() in _titles()


@cache
def _titles() -> frozenset[str]:
    return frozenset(map(str.casefold, person_titles("full", "short")))


def theme_colours(accent: str) -> dict[str, Any]:
    """Return legible accent colours for the light and dark themes, or none if the channel has no accent."""
    return {"accent": accent, "light": fit(accent, LIGHT), "dark": fit(accent, DARK)} if accent else {}


def validate_suggestions(value: object) -> None:
    """Raise ValidationError unless `value` is {locale: [up to three short lines]}."""
    for locale, lines in _by_locale(value).items():
        with _naming(locale):
            validate_suggestion_lines(lines)


def validate_suggestion_lines(lines: object) -> None:
    """Raise ValidationError unless `lines` are up to three short lines."""
    if not isinstance(lines, list) or len(lines) > MAX_SUGGESTIONS:
        raise ValidationError(gettext("Enter at most {number} suggestions.").format(number=MAX_SUGGESTIONS))
    for line in lines:
        _check_line(line, MAX_SUGGESTION_CHARACTERS)


def validate_greetings(value: object) -> None:
    """Raise ValidationError unless `value` is {locale: greeting}."""
    for locale, line in _by_locale(value).items():
        with _naming(locale):
            _check_line(line, MAX_GREETING_CHARACTERS)
            validate_placeholders(str(line))


def validate_placeholders(greeting: str) -> None:
    """Raise ValidationError if a greeting has curly brackets other than `{name}`; customers would see them."""
    if _BRACE.search(greeting.replace("{name}", "")):
        raise ValidationError(gettext("Write curly brackets only in {name}, the customer's first name."))


@contextmanager
def _naming(locale: str) -> Iterator[None]:
    """Add the language to an error."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError(labelled(locale, " ".join(error.messages))) from error


def _by_locale(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or len(value) > MAX_LANGUAGES:
        raise ValidationError(
            gettext("Enter texts by language, in at most {limit} languages.").format(limit=MAX_LANGUAGES)
        )
    for locale in value:
        if not isinstance(locale, str) or not LOCALE.fullmatch(locale):
            problem = gettext("“{locale}” is not a language code. Use one such as en or de-AT.")
            raise ValidationError(problem.format(locale=str(locale)[:20]))
    return value


def _check_line(line: object, limit: int) -> None:
    if not isinstance(line, str) or not line.strip() or any(category(char) in _NOT_IN_A_LINE for char in line):
        raise ValidationError(gettext("Enter one line of text, without control characters."))
    if len(line) > limit:
        raise ValidationError(gettext("A line can have at most {limit} characters.").format(limit=limit))
