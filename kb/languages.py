"""In which language a help page speaks: the reader's, among those in which there is something to read.

Languages are told apart by their first part only: whoever reads `de` reads `de-at`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language_info
from django.utils.translation.trans_real import parse_accept_lang_header

from supportbot.language.detection import base_language


@dataclass(frozen=True, slots=True)
class Language:
    """One entry of the switch: its code, and its name in itself."""

    code: str
    name: str


def offered(locales: Iterable[str]) -> list[Language]:
    """Return the languages of these locales by name, each once."""
    codes = {base_language(locale) for locale in locales}
    return sorted((Language(code, _own_name(code)) for code in codes), key=lambda one: one.name.casefold())


def chosen(request: HttpRequest, languages: Sequence[Language], fallback: str) -> str:
    """Return what `?lang=` names, else what the browser asks for, else the fallback; each only if it is offered."""
    known = [one.code for one in languages]
    accepted = [code for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for wish in (request.GET.get("lang", ""), *accepted, fallback):
        if base_language(wish) in known:
            return base_language(wish)
    return known[0] if known else base_language(fallback)


def spoken(language: str) -> str:
    """Return the language of the page's own words: this one, or English where we do not speak it."""
    return language if language in dict(settings.LANGUAGES) else "en"


def _own_name(code: str) -> str:
    try:
        name: str = get_language_info(code)["name_local"]
    except KeyError:
        return code.upper()
    return name[:1].upper() + name[1:]
