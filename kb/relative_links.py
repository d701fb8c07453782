"""Links between articles that come from files, written as relative paths, such as `../fees.md#abroad`.

An article's own path is that of its file in the source, otherwise its external id, which is the path in an imported
folder.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from django.db.models import Q

from kb.access import Viewer, readable
from kb.article_urls import article_address
from kb.models import Article

MOST_LOOKED_UP: Final = 100  # links of a page
# What a link without an ending may mean, as generators of documentation write them.
_ENDINGS: Final = (".md", ".html", "/index.md", "/README.md", "/index.html")


@dataclass(frozen=True, slots=True)
class Position:
    """Where an article's file is: its path, and what precedes the paths of its source in `Article.origin`."""

    path: str
    prefix: str = ""


def position_of(article: Article) -> Position:
    if article.origin and not article.origin.startswith(("http://", "https://")):
        source, separator, path = article.origin.rpartition(": ")
        return Position(path, f"{source}{separator}")
    return Position(article.external_id)


def is_relative(target: str) -> bool:
    """Return whether a link is a path relative to its own page or file."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return bool(parts.path) and not (parts.scheme or parts.netloc or parts.path.startswith("/"))


def paths_meant(target: str, path: str) -> tuple[str, ...]:
    """Return the paths that a relative link in the file at `path` may mean, most likely first: from the file's folder
    or, as a browser would read it, from the help page's address.
    """
    if not is_relative(target):
        return ()
    way = unquote(urlsplit(target).path)
    meant = [posixpath.normpath(posixpath.join(base, way)) for base in (posixpath.dirname(path), path)]
    inside = [one for one in meant if one not in (".", "..") and not one.startswith("../") and "\0" not in one]
    return tuple(f"{one}{ending}" for one in inside for ending in ("", *_ENDINGS))


def resolver(article: Article, viewer: Viewer) -> Callable[[str], str]:
    """Return a function that gives a link's address: for a relative path, that of the article meant, or "" if the
    viewer can read none; for any other link, the link itself.
    """
    position, known = position_of(article), dict[tuple[str, ...], str]()

    def address_of(target: str) -> str:
        if not is_relative(target):
            return target
        paths = paths_meant(target, position.path)
        if paths not in known:
            known[paths] = _address(paths, position, viewer) if len(known) < MOST_LOOKED_UP else ""
        address, fragment = known[paths], urlsplit(target).fragment
        return f"{address}#{fragment}" if address and fragment else address

    return address_of


def _address(paths: tuple[str, ...], position: Position, viewer: Viewer) -> str:
    origins = [f"{position.prefix}{path}" for path in paths] if position.prefix else []
    is_meant = Q(external_id__in=paths) | Q(slug__in=paths) | Q(origin__in=origins)
    found: dict[str, Article] = {}
    for row in readable(viewer).filter(is_meant).select_related("workspace"):
        found |= dict.fromkeys((row.origin.removeprefix(position.prefix), row.slug, row.external_id), row)
    return next((article_address(found[path]) for path in paths if path in found), "")
