"""Texts for customers, in the language of their conversation, whatever language is active.

They come from the catalogues `locale/customer/<language>/LC_MESSAGES/django.mo`, which `make messages` writes. Each
process reads a catalogue once, so a text costs two dictionary look-ups. The extractor (`scripts/messages.py`) knows
these functions by name: the messages passed to them are literals, or are marked with `msgid` where they are defined.

Placeholders are named, as in `{order}`. A locale without a catalogue uses that of its base language, otherwise English.
"""

import gettext
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, TypeVar

from supportbot.formats import format_number

SOURCE_LANGUAGE: Final = "en"
CATALOGUES: Final = Path(__file__).resolve().parent.parent / "locale" / "customer"
# `pt-br` for the folder `pt_BR`, which is the form in settings and HTTP.
LANGUAGES: Final = (
    SOURCE_LANGUAGE,
    *sorted(path.parents[1].name.replace("_", "-").lower() for path in CATALOGUES.glob("*/LC_MESSAGES/django.mo")),
)
_NO_BREAK_SPACES: Final = re.compile("[\u00a0\u202f]")

T = TypeVar("T")


def msgid(message: str) -> str:
    """Return a message unchanged.

    This marks it for the extractor where it is defined; `text_in` translates it later.
    """
    return message


def nmsgid(one: str, many: str) -> tuple[str, str]:
    """Return a message's two forms unchanged. This marks them for the extractor; `ntext_in` translates them later."""
    return one, many


def text_in(locale: str, message: str, /, **values: object) -> str:
    """Return a message in a locale's language, with its placeholders filled in.

    An unknown message stays untranslated.
    """
    text = _catalogue(locale).gettext(message) if message else ""  # gettext returns its header for ""
    return text.format(**values) if values else text


def ptext_in(locale: str, context: str, message: str, /, **values: object) -> str:
    """Like `text_in`, but for a message whose translation depends on its context."""
    text = _catalogue(locale).pgettext(context, message)
    return text.format(**values) if values else text


def ntext_in(locale: str, one: str, many: str, n: int, /, **values: object) -> str:
    """Return a message in the plural form for `n`. The placeholder `{n}` shows the number in the locale's digits."""
    return _catalogue(locale).ngettext(one, many, n).format(**{"n": format_number(n, locale), **values})


def with_label(locale: str, label: str, value: object) -> str:
    """Return "label: value". In French, there is a space before the colon."""
    return text_in(locale, "{label}: {value}", label=label, value=value)


@cache
def in_all_languages(message: str) -> frozenset[str]:
    """Return a message in every language, placeholders included, for recognising texts that were made from it.

    Texts with no-break spaces are also returned with plain spaces, because a conversation's history is normalised.
    """
    texts = frozenset(_loaded(language).gettext(message) for language in LANGUAGES)
    return texts | {_NO_BREAK_SPACES.sub(" ", text) for text in texts}


@lru_cache(maxsize=1024)  # locales come from outside
def language_of(locale: str) -> str:
    """Return the language whose catalogue is used for a locale: `de` for `de-AT`, `en` for `xx`."""
    tag = locale.replace("_", "-").lower()
    return next((known for known in (tag, tag.split("-")[0]) if known in LANGUAGES), SOURCE_LANGUAGE)


def in_locale(texts: Mapping[str, T], locale: str) -> T:
    """Return the text for a locale.

    If there is none, return the text for its language; otherwise, the English text or, without one, the first text.
    """
    for name in (locale, locale.partition("-")[0], "en"):
        if name in texts:
            return texts[name]
    return next(iter(texts.values()))


def _catalogue(locale: str) -> gettext.NullTranslations:
    return _loaded(language_of(locale))


@cache
def _loaded(language: str) -> gettext.NullTranslations:
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    base, _, region = language.partition("-")
    folder = f"{base}_{region.upper()}" if region else base
    with (CATALOGUES / folder / "LC_MESSAGES" / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
