"""Addresses of pages: one spelling for each page, and whether it belongs to a site. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

MAX_CHARACTERS: Final = 2_000
MOST_ALIKE: Final = 500
MOST_DATED: Final = 60
# Parameters that track visitors and do not change what is shown.
_TRACKING: Final = re.compile(
    r"utm_\w+|[a-z]*clid|mc_[ce]id|_ga|_gl|_hs\w+|mkt_tok|igshid|ref_src|spm|yclid|pk_\w+|mtm_\w+|vero_\w+|oly_\w+",
    re.IGNORECASE,
)
# Names that programs use for session ids only.
_SESSION: Final = re.compile(r"phpsessid|jsessionid|aspsessionid\w*|asp\.net_sessionid|cfid|cftoken", re.IGNORECASE)
# These names can also choose a page, as in `?sid=12` or `?session=keynote`, so the value must look like a session id.
_PERHAPS_SESSION: Final = re.compile(
    r"sid|sess|sessid|session|session[_-]?(?:id|key|token)|viewsessionid|oscsid|xtcsid|zenid|cid|s", re.IGNORECASE
)
# Alternating letters and digits, not words joined by hyphens; or a UUID.
_TOKEN: Final = re.compile(
    r"(?=(?:[a-z]*\d+[a-z]+){2})[0-9a-z]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
_LONG_NUMBER: Final = re.compile(r"\d{10,}")
_NEVER_NUMBERS: Final = ("cid", "s")  # they are also used for customer numbers and for searches
_SESSION_IN_PATH: Final = re.compile(
    r";(?:(?:jsessionid|phpsessid|sessionid)=[^/?;]*|(?:sid|sessid)=(?:"
    + _TOKEN.pattern
    + r")(?=[/;]|$))|/\((?:X\(\d\)|[AFS]\([\w-]{16,}\))+\)(?=/|$)",  # the last one is ASP.NET's
    re.IGNORECASE,
)
# Names that this or an earlier version removes as session ids, so that keys written by an earlier one are recognised.
_SESSION_OF_ANY_VERSION: Final = re.compile(
    r"[\w.-]*(?:sess(?:ion)?(?:[_-]?(?:id|key|token))?|sid|cid)|zenid|cfid|cftoken|aspsessionid\w*|s", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"\d+")
_DATE: Final = re.compile(r"(?:^|/)(?:19|20)\d\d(?:[-/]\d{1,2}){0,2}(?=/|$)")
# Endings of files that are never pages; checked before anything is fetched.
_OTHER_FILES: Final = re.compile(
    r"\.(?:png|jpe?g|gif|webp|avif|svg|ico|css|m?js|map|woff2?|ttf|eot|mp[34]|m4[av]|webm|ogg|wav|avi|mov|zip|gz|tgz|bz2|"
    r"xz|7z|rar|exe|dmg|pkg|deb|rpm|msi|apk|iso|bin|hex|ino|xml|rss|atom|json|xlsx?|pptx?|odt|ods|doc|ics|vcf|eps|psd)$",
    re.IGNORECASE,
)


def one_spelling(url: str, base: str = "") -> str:
    """Return an address as the key of its page, resolved against `base`; "" if it is not a web page.

    The fragment, tracking parameters and session parameters are removed; the rest of the query is put into a fixed
    order.
    """
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return ""
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        host = f"{host}:{port}"
    path = _without_dots(_SESSION_IN_PATH.sub("", parts.path) or "/")
    found = urlunsplit((parts.scheme, host, _encoded(path), _query(parts.query), ""))
    return found if len(found) <= MAX_CHARACTERS and found.isprintable() else ""


def _query(query: str) -> str:
    pairs = [pair for pair in _pairs(query) if not _is_noise(*pair)]
    return urlencode(sorted(pairs))


def _is_noise(name: str, value: str) -> bool:
    if _TRACKING.fullmatch(name) or _SESSION.fullmatch(name):
        return True
    if not _PERHAPS_SESSION.fullmatch(name):
        return False
    is_number = name.lower() not in _NEVER_NUMBERS and _LONG_NUMBER.fullmatch(value)
    return bool(is_number or _TOKEN.fullmatch(value))


def is_page_of_key(url: str, key: str) -> bool:
    """Return whether an address in today's spelling is the page of an item's key. An earlier version may have spelled
    the key differently: with a session id that is removed today, or without a parameter that it took for one.
    """
    if url in (key, one_spelling(key)):
        return True
    longer, shorter = _pairs(urlsplit(url).query), _pairs(urlsplit(key).query)
    return all(pair in longer for pair in shorter) and without_sessions(url) == without_sessions(key)


def without_sessions(url: str) -> str:
    """Return an address without anything that this or an earlier version of SupportBot removes as a session id."""
    parts = urlsplit(url)
    pairs = [pair for pair in _pairs(parts.query) if not _SESSION_OF_ANY_VERSION.fullmatch(pair[0])]
    path = ";".join(
        one for one in parts.path.split(";") if not _SESSION_OF_ANY_VERSION.fullmatch(one.partition("=")[0])
    )
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(pairs), ""))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _encoded(path: str) -> str:
    return quote(path, safe="/%:@!$&'()*+,;=~-._")


def _without_dots(path: str) -> str:
    """Return a path without `.` and `..`, which urljoin leaves in an absolute address."""
    kept: list[str] = []
    parts = path.split("/")
    for part in parts[1:]:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def shape(url: str) -> tuple[str, int]:
    """Return an address's shape, which similar addresses share, and how many addresses of this shape are worth reading.
    Calendars and filters create endless addresses of one shape, which differ only in dates or queries. All other
    addresses have the shape "".
    """
    parts = urlsplit(url)
    pairs = _pairs(parts.query)
    is_dated = bool(_DATE.search(parts.path)) or any(_DATE.fullmatch(value) for _, value in pairs)
    if not (pairs or is_dated):
        return "", 0
    alike = f"{_DIGITS.sub('0', parts.path)}?{'&'.join(name for name, _ in pairs)}"
    return alike, MOST_DATED if is_dated else MOST_ALIKE


@dataclass(frozen=True, slots=True)
class Scope:
    """The addresses that belong to a site, given by its host, path prefixes, and patterns with `*`."""

    origins: tuple[str, ...]  # for example, https://help.example.com
    sections: tuple[str, ...] = ("/",)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def at_home(self, url: str) -> str:
        """Return a page's address at the site's own origin. Many sites also link to themselves with `http`, or with or
        without `www.`, and redirect such links; pages of public sites are never fetched over `http`.
        """
        if any(url.startswith(f"{origin}/") for origin in self.origins):
            return url
        parts = urlsplit(url)
        bare = parts.netloc.removeprefix("www.")
        for origin in self.origins:
            home = urlsplit(origin)
            is_as_secure = home.scheme in (parts.scheme, "https")
            if bare == home.netloc.removeprefix("www.") and is_as_secure:
                return urlunsplit((home.scheme, home.netloc, parts.path, parts.query, ""))
        return url

    def holds(self, url: str) -> bool:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" not in self.origins or _OTHER_FILES.search(parts.path):
            return False
        if not any(is_below(parts.path, section) for section in self.sections):
            return False
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if self.include and not any(_matches(path, pattern) for pattern in self.include):
            return False
        return not any(_matches(path, pattern) for pattern in self.exclude)


def scope_of(start: str, sections: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> Scope:
    """Return the scope of a site: without sections, everything below the path of its start."""
    parts = urlsplit(start)
    origin = f"{parts.scheme}://{parts.netloc}"
    home = parts.path if parts.path.endswith("/") or "." not in parts.path.rpartition("/")[2] else ""
    below = tuple(sections) or (home or parts.path.rpartition("/")[0] + "/",)
    return Scope((origin,), below, tuple(include), tuple(exclude))


def is_below(path: str, section: str) -> bool:
    section = section if section.startswith("/") else f"/{section}"
    return path == section.rstrip("/") or path.startswith(section if section.endswith("/") else f"{section}/")


def _matches(path: str, pattern: str) -> bool:
    """Return whether a pattern with `*` matches the whole path; without `*`, it matches paths that begin with it."""
    pattern = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
    return fnmatchcase(path, pattern.replace("[", "[[]") if "*" in pattern else f"{pattern.replace('[', '[[]')}*")
