"""Validation of everything that enters the knowledge base: files, API and console all use these checks.

Every check raises InvalidDocument with one message (what is wrong and what to do) and the field it belongs to.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from django.utils.translation import gettext, gettext_noop

from kb.errors import InvalidDocument
from kb.models import Audience, State
from supportbot.language.detection import base_language, detect, is_language
from supportbot.language.plain_text import plain
from supportbot.team_formats import number

MAX_BODY_CHARACTERS = 2_000_000
MAX_TITLE_CHARACTERS = 300
MAX_EXTERNAL_ID_CHARACTERS = 400
MAX_CATEGORY_CHARACTERS = 120
MAX_URL_CHARACTERS = 2_000
MAX_NAME_CHARACTERS = 120
# The names of an article's switches.
SWITCHES = ("on_help_pages", "for_assistant")
# The labels of fields in the console.
_LABELS = {
    "body": gettext_noop("Text"),
    "category": gettext_noop("Category"),
    "collection": gettext_noop("Collection"),
    "description": gettext_noop("Description"),
    "external_id": gettext_noop("ID"),
    "html": "HTML",
    "locale": gettext_noop("Language"),
    "name": gettext_noop("Name"),
    "phrasings": gettext_noop("Questions answered with this text, one per line"),
    "slug": gettext_noop("Page address"),
    "text": gettext_noop("Text"),
    "title": gettext_noop("Title"),
    "translation_of": gettext_noop("Translation of"),
    "translations": gettext_noop("Description"),
    "url": gettext_noop("Web address"),
    "words": gettext_noop("Words"),
}

_LOCALE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}")
_OPENING_CHARACTERS = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ArticleText:
    """Title and Markdown body that have passed the checks, as a revision stores them."""

    title: str
    body: str

    @property
    def body_hash(self) -> str:
        return hashlib.sha256(self.body.encode()).hexdigest()


def check_article_text(title: str, body: str) -> ArticleText:
    """Return the text as it will be stored: title on one line, lines ending with "\\n", no empty lines at the start."""
    title = " ".join(check_storable("title", title).split())
    body = check_storable("body", body).replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if not title:
        _refuse("title", gettext("The title is empty. Enter a title."))
    if len(title) > MAX_TITLE_CHARACTERS:
        _refuse(
            "title",
            gettext("The title has {length} characters. Shorten it to at most {limit}.").format(
                length=len(title), limit=MAX_TITLE_CHARACTERS
            ),
        )
    if not body.strip():
        _refuse("body", gettext("The text is empty. Enter the article's text, or leave the article out."))
    if len(body) > MAX_BODY_CHARACTERS:
        _refuse(
            "body",
            gettext("The text has {length} characters; at most {limit} are allowed. Split the article.").format(
                length=number(len(body)), limit=number(MAX_BODY_CHARACTERS)
            ),
        )
    return ArticleText(title, body)


def language_of(wording: ArticleText, default: str) -> str:
    """Return the language of an article that does not specify one. It is `default`, a locale, if the text is in that
    language or if the text's language is uncertain.
    """
    opening = plain(f"{wording.title}.\n\n{wording.body[:_OPENING_CHARACTERS]}")
    found = detect(opening, base_language(default))
    return default if found == base_language(default) else found


def check_storable(field: str, text: str) -> str:
    """Return `text` without a byte order mark; PostgreSQL accepts neither NUL nor lone surrogates."""
    if "\x00" in text:
        place = text.index("\x00")
        problem = (
            gettext("“{field}” contains a NUL character (line {line}). Remove it.")
            if "\n" in text
            else gettext("“{field}” contains a NUL character. Remove it.")
        )
        _refuse(field, problem.format(field=_label(field), line=_line(text, place)))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        problem = (
            gettext(
                "“{field}” contains half of a surrogate pair (line {line}). Replace it with the intended character."
            )
            if "\n" in text
            else gettext("“{field}” contains half of a surrogate pair. Replace it with the intended character.")
        )
        _refuse(field, problem.format(field=_label(field), line=_line(text, error.start)))
    return text.removeprefix("\ufeff")


def _label(field: str) -> str:
    return gettext(_LABELS.get(field, field))


def _line(text: str, index: int) -> int:
    return text.count("\n", 0, index) + 1


def check_external_id(value: str) -> str:
    value = check_storable("external_id", value).strip()
    if not value:
        _refuse("external_id", gettext("The id is empty. Enter one, or leave it out to use the file's path."))
    if len(value) > MAX_EXTERNAL_ID_CHARACTERS:
        _refuse(
            "external_id",
            gettext("The id is longer than {limit} characters. Use a shorter one.").format(
                limit=MAX_EXTERNAL_ID_CHARACTERS
            ),
        )
    if _CONTROL.search(value):
        _refuse(
            "external_id",
            gettext("The id contains a line break or another control character. Use a single plain line."),
        )
    return value


def check_locale(value: str) -> str:
    locale = value.strip().lower().replace("_", "-")
    if not (_LOCALE.fullmatch(locale) and is_language(locale)):
        _refuse(
            "locale",
            gettext("The language “{value}” is unknown. Use a language code such as en, de or pt-br.").format(
                value=_shown(value)
            ),
        )
    return locale


def check_audience(value: str) -> str:
    audience = value.strip().lower()
    if audience not in Audience.values:
        _refuse(
            "audience",
            gettext("The audience “{value}” is unknown. Use one of {choices}.").format(
                value=_shown(value), choices=", ".join(Audience.values)
            ),
        )
    return audience


def check_state(value: str) -> str:
    """Return a state that an import may set; archiving is done in the console or over the API."""
    state = value.strip().lower()
    if state not in (State.DRAFT, State.LIVE):
        _refuse("state", gettext("The state “{value}” is unknown. Use draft or live.").format(value=_shown(value)))
    return state


def check_switch(field: str, value: str) -> bool:
    """Return whether a switch is on; its value is a word, since files are read as text."""
    switch = {"yes": True, "true": True, "no": False, "false": False}.get(value.strip().lower())
    if switch is None:
        _refuse(field, gettext("{field} is “{value}”. Use yes or no.").format(field=field, value=_shown(value)))
    return switch


def check_category(value: str) -> str:
    category = " ".join(check_storable("category", value).split())
    if len(category) > MAX_CATEGORY_CHARACTERS:
        _refuse(
            "category",
            gettext("The category is longer than {limit} characters. Shorten it.").format(
                limit=MAX_CATEGORY_CHARACTERS
            ),
        )
    return category


def check_name(value: str) -> str:
    """Return the name of a collection as it will be stored."""
    name = " ".join(check_storable("name", value).split())
    if not name:
        _refuse("name", gettext("The name is empty. Enter a name for the collection."))
    if len(name) > MAX_NAME_CHARACTERS:
        _refuse(
            "name",
            gettext("The name is longer than {limit} characters. Shorten it.").format(limit=MAX_NAME_CHARACTERS),
        )
    return name


def check_url(value: str) -> str:
    """Return an address that readers may be sent to: http, https, or a path on this host; "" means the help page."""
    url = check_storable("url", value).strip()
    if url and not _is_safe_address(url):
        _refuse(
            "url",
            gettext(
                "The URL “{value}” is not a web address. Use http://, https://, or a path that starts with /."
            ).format(value=_shown(value)),
        )
    if len(url) > MAX_URL_CHARACTERS:
        _refuse(
            "url",
            gettext("The URL is longer than {limit} characters. Use a shorter one.").format(limit=MAX_URL_CHARACTERS),
        )
    return url


def _is_safe_address(url: str) -> bool:
    if _CONTROL.search(url) or "\\" in url or " " in url:  # browsers treat "/\host" as a different host
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _shown(value: str) -> str:
    """Return the beginning of a value for a message, with control characters escaped."""
    return repr(value if len(value) <= 60 else value[:57] + "...")[1:-1]


def _refuse(field: str, message: str) -> NoReturn:
    raise InvalidDocument(message, fields={field: [message]})
