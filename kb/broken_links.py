"""Broken links between help pages. Nothing is fetched: the addresses are compared with the articles."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from django.conf import settings

from kb.access import Surface, Viewer, readable
from kb.models import Article, OldAddress, Picture, State
from kb.pictures import file_name
from kb.relative_links import Position, is_relative, paths_meant, position_of
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id

MAX_READ: Final = 5_000
# The target of a Markdown link, or an address alone or in angle brackets; it ends at the first space or bracket.
_TARGET: Final = re.compile(r"\]\(\s*<?([^\s)>]+)|<(https?://[^\s>]+)>|(?<![(<\w])(https?://[^\s)>\]]+)")
_OF_FRAMES: Final = {"sitemap.xml", "llms.txt", "theme.css", ""}


@dataclass(frozen=True, slots=True)
class Broken:
    """A link in an article to a help page that readers cannot open."""

    article: Article
    target: str


def broken_links() -> list[Broken]:
    """Return the links of live articles to help pages of this workspace that nobody can open."""
    here = f"/help/{Workspace.objects.get(pk=current_workspace_id()).slug}/"
    known = _names()
    rows = Article.objects.filter(state=State.LIVE).select_related("live_revision").order_by("external_id")
    found = []
    for article in rows[:MAX_READ].iterator(chunk_size=200):
        body = article.live_revision.body if article.live_revision else ""
        position = position_of(article)
        for target in dict.fromkeys(_targets(body)):
            name = _name_of(target, here)
            if _is_lost(target, position, known) or (name is not None and name not in known):
                found.append(Broken(article, target))
    return found


def _is_lost(target: str, position: Position, known: Set[str]) -> bool:
    """Return whether a link is a relative path that leads to no article."""
    paths = paths_meant(target, position.path)
    return is_relative(target) and not any(path in known or f"{position.prefix}{path}" in known for path in paths)


def _names() -> set[str]:
    """Return the names by which public help pages and pictures can be opened, and the places of their files."""
    shown = readable(Viewer(surface=Surface.HELP_PAGES))
    names = {str(value) for row in shown.values_list("pk", "slug", "external_id", "origin") for value in row}
    old = OldAddress.objects.filter(article__in=shown).values_list("name", flat=True)
    pictures = (f"pictures/{file_name(one)}" for one in Picture.objects.only("digest", "media_type"))
    return names | set(old) | set(pictures)


def _targets(body: str) -> Iterator[str]:
    for match in _TARGET.finditer(body):
        yield next(one for one in match.groups() if one)


def _name_of(target: str, here: str) -> str | None:
    """Return the name of the help page of this workspace that an address refers to; None for any other address."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.netloc and parts.netloc != urlsplit(settings.BASE_URL).netloc:
        return None
    if not parts.path.startswith(here):
        return None
    name = unquote(parts.path.removeprefix(here)).strip("/").removesuffix(".md")
    return None if name in _OF_FRAMES else name
