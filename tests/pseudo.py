"""A pseudo-language with every message in brackets: text outside brackets was never marked for translation."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest
from babel import Locale
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.utils.translation import trans_real
from selectolax.lexbor import LexborHTMLParser

from supportbot import translation
from supportbot.accounts.principals import SCOPES
from supportbot.evals.suite_formats.files import shipped_suites
from supportbot.team_language import TEAM_LANGUAGES

SHOWN_ATTRIBUTES: Final = ("aria-label", "title", "placeholder", "alt", "data-label")
NOT_READ: Final = (
    "script",
    "style",
    "code",
    "pre",
    "textarea",
    "option[lang]",
    "div[lang]",  # elements with a language of their own
    "article[lang]",
    "a[lang]",
    "td[lang]",
    "kbd",
    "[aria-hidden=true]",
    "[name=timezone]",
    ".dg",  # a digest
)
# Names, units and technical words that are the same in all of the team's languages.
SAME: Final = set(TEAM_LANGUAGES.values()) | {name for _, name in settings.LANGUAGES} | SCOPES | {
    *shipped_suites(), "General", "AI", "API", "ASCII", "Bearer", "Ctrl", "EUR", "HTML", "JSON", "MB", "Markdown",
    "SupportBot", "UTC", "YAML", "com", "eu", "ms", "sha256",
    "DELETE", "GET", "PATCH", "POST", "PUT",
}  # fmt: skip
_MONTHS: Final = Locale.parse("en_GB").months["format"]["abbreviated"].values()
_MESSAGE: Final = re.compile(r"\[[^\[\]]*\]")
_IDENTIFIER: Final = re.compile(r"[\w-]*\d[\w-]*")  # such as 01a22151-64ef, in which `ef` is not a word
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


ASKED_FOR: Final[set[str]] = set()  # since the test began: ours, and those of Django and its theme
IN_ROWS: Final[set[str]] = set()  # words in the database, since the test began


class Bracketed:
    """A Django translation object that puts every message in brackets."""

    def __init__(self, language: str) -> None:
        self._language = language

    def to_language(self) -> str:
        return self._language

    def language(self) -> str:
        return self._language

    def gettext(self, message: str) -> str:
        ASKED_FOR.add(message)
        return f"[{message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]}]" if message else ""

    def pgettext(self, context: str, message: str) -> str:
        return self.gettext(message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        ASKED_FOR.add(one)
        return f"[{one if number == 1 else many}]"


class CustomersBracketed(Bracketed):
    """The same object for customers' texts, which the team's catalogues may lack."""

    def gettext(self, message: str) -> str:
        return f"[{message}]" if message else ""

    def ngettext(self, one: str, many: str, number: int) -> str:
        return f"[{one if number == 1 else many}]"


@pytest.fixture
def pseudo_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the messages of every language in brackets, including customers' texts."""
    ASKED_FOR.clear()
    IN_ROWS.clear()
    monkeypatch.setattr(trans_real, "translation", Bracketed)
    monkeypatch.setattr(translation, "_catalogue", CustomersBracketed)


def without_translation(language: str) -> list[str]:
    """Return the messages that this test's pages used and that a language lacks."""
    known = {key[0] if isinstance(key, tuple) else key for key in _catalogue(language)}
    return sorted(message for message in ASKED_FOR if message and message not in known)


def _catalogue(language: str) -> list[Any]:
    merged = vars(trans_real.DjangoTranslation(language))["_catalog"]
    return [key for catalogue in merged._catalogs for key in catalogue]


def untranslated(html: str, data: str = "") -> list[str]:
    """Return the visible words of a page that are neither in brackets nor in any row of the database. `data` are more
    words from elsewhere, such as a shop.
    """
    known = _words((data, *SAME, *_MONTHS)) | IN_ROWS
    unknown = [word for text in _without_messages(_texts(html)) for word in _WORD.findall(text)]
    unknown = [word for word in unknown if word.casefold() not in known]
    if unknown:  # reading every table takes longer than most pages
        IN_ROWS.update(_words(_stored()))
    return [word for word in unknown if word.casefold() not in IN_ROWS]


def _words(texts: Iterable[str]) -> set[str]:
    return {word.casefold() for text in texts for word in _WORD.findall(text)}


def _without_messages(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        while _MESSAGE.search(text):
            text = _MESSAGE.sub(" ", text)
        yield _IDENTIFIER.sub(" ", text)


def _texts(html: str) -> Iterator[str]:
    tree = LexborHTMLParser(html)
    for hidden in tree.css(", ".join(NOT_READ)):
        hidden.decompose()
    if tree.head is not None:
        yield tree.head.text(separator=" ")
    if tree.body is not None:
        yield tree.body.text(separator=" ")
        for node in tree.body.css(", ".join(f"[{name}]" for name in SHOWN_ATTRIBUTES)):
            yield from (value for name in SHOWN_ATTRIBUTES if (value := node.attributes.get(name)))


def _stored() -> Iterator[str]:
    with connection.cursor() as cursor:
        for model in apps.get_models():
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT row_to_json(one)::text FROM {table} AS one")  # our own table names
            yield from (str(row[0]) for row in cursor.fetchall())
