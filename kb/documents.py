"""A text on its way into the knowledge base, checked once at the edge: files, API and console all come through here.

Every check raises InvalidDocument with one sentence (cause and way out) and the field it belongs to.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import urlsplit

from kb.errors import InvalidDocument
from kb.models import Audience, State

MOST_BODY_CHARACTERS = 2_000_000
MOST_TITLE_CHARACTERS = 300
MOST_EXTERNAL_ID_CHARACTERS = 400
MOST_CATEGORY_CHARACTERS = 120
MOST_URL_CHARACTERS = 2_000
MOST_NAME_CHARACTERS = 120

_LOCALE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Wording:
    """Title and Markdown body that have passed the checks; what a revision stores."""

    title: str
    body: str

    @property
    def body_hash(self) -> str:
        return hashlib.sha256(self.body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """One item of an import. None means "not said": a stored value then stays as it is."""

    external_id: str
    wording: Wording
    origin: str = ""
    url: str | None = None
    locale: str | None = None
    audience: str | None = None
    category: str | None = None
    collection: str | None = None
    state: str | None = None

    def at(self, origin: str) -> "Document":
        """Return the document with the place it was read from."""
        return replace(self, origin=origin)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that could not be read: where it stands, and one sentence on why and the way out."""

    origin: str
    message: str


def check_wording(title: str, body: str) -> Wording:
    """Return the wording as it will be stored: one-line title, lines ended by "\\n", no empty one first."""
    title = " ".join(check_storable("title", title).split())
    body = check_storable("body", body).replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if not title:
        _refuse("title", "The title is empty. Give the article a title.")
    if len(title) > MOST_TITLE_CHARACTERS:
        _refuse("title", f"The title has {len(title)} characters. Shorten it to at most {MOST_TITLE_CHARACTERS}.")
    if not body.strip():
        _refuse("body", "The text is empty. Write the article's text, or leave the article out.")
    if len(body) > MOST_BODY_CHARACTERS:
        _refuse(
            "body", f"The text has {len(body):,} characters, at most {MOST_BODY_CHARACTERS:,} fit. Split the article."
        )
    return Wording(title, body)


def check_storable(field: str, text: str) -> str:
    """Return `text` without a byte order mark; PostgreSQL takes neither NUL nor half a surrogate pair."""
    if "\x00" in text:
        _refuse(field, f"The {field} holds a NUL character ({_place(text, text.index(chr(0)))}). Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        where = _place(text, error.start)
        _refuse(
            field, f"The {field} holds half of a surrogate pair ({where}). Replace it by the character that was meant."
        )
    return text.removeprefix("\ufeff")


def check_external_id(value: str) -> str:
    value = check_storable("external_id", value).strip()
    if not value:
        _refuse("external_id", "The id is empty. Name one, or leave it out and the file's path is taken.")
    if len(value) > MOST_EXTERNAL_ID_CHARACTERS:
        _refuse("external_id", f"The id is longer than {MOST_EXTERNAL_ID_CHARACTERS} characters. Use a shorter one.")
    if _CONTROL.search(value):
        _refuse("external_id", "The id holds a line break or another control character. Use one plain line.")
    return value


def check_locale(value: str) -> str:
    locale = value.strip().lower().replace("_", "-")
    if not _LOCALE.fullmatch(locale):
        _refuse("locale", f"The locale {_shown(value)} is not known. Use a language code such as en, de or pt-br.")
    return locale


def check_audience(value: str) -> str:
    audience = value.strip().lower()
    if audience not in Audience.values:
        _refuse("audience", f"The audience {_shown(value)} is not known. Use one of {', '.join(Audience.values)}.")
    return audience


def check_state(value: str) -> str:
    """Return what an import may ask for; taking an article away is the console's and the API's work."""
    state = value.strip().lower()
    if state not in (State.DRAFT, State.LIVE):
        _refuse("state", f"The state {_shown(value)} is not known. Use draft or live.")
    return state


def check_category(value: str) -> str:
    category = " ".join(check_storable("category", value).split())
    if len(category) > MOST_CATEGORY_CHARACTERS:
        _refuse("category", f"The category is longer than {MOST_CATEGORY_CHARACTERS} characters. Shorten it.")
    return category


def check_name(value: str) -> str:
    """Return the name of a collection as it will be stored."""
    name = " ".join(check_storable("name", value).split())
    if not name:
        _refuse("name", "The name is empty. Give the collection a name.")
    if len(name) > MOST_NAME_CHARACTERS:
        _refuse("name", f"The name is longer than {MOST_NAME_CHARACTERS} characters. Shorten it.")
    return name


def check_url(value: str) -> str:
    """Return an address readers may be sent to: http, https, or a path on this host; empty means the help page."""
    url = check_storable("url", value).strip()
    if url and not _is_safe_address(url):
        _refuse(
            "url", f"The url {_shown(value)} is not a web address. Use http://, https://, or a path that begins with /."
        )
    if len(url) > MOST_URL_CHARACTERS:
        _refuse("url", f"The url is longer than {MOST_URL_CHARACTERS} characters. Use a shorter one.")
    return url


def _is_safe_address(url: str) -> bool:
    if _CONTROL.search(url) or "\\" in url or " " in url:  # browsers read "/\host" as another host
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _place(text: str, index: int) -> str:
    return f"line {text.count(chr(10), 0, index) + 1}"


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")


def _refuse(field: str, message: str) -> NoReturn:
    raise InvalidDocument(message, fields={field: [message]})
