"""Broken links between help pages. Nothing is fetched: the addresses are compared with the articles."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from django.conf import settings

from kb.access import Surface, Viewer, readable
from kb.models import Article, Picture, State
from kb.pictures import file_name
from kb.relative_links import Targets, add_former_names, is_relative, position_of, with_places
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
    known = _known()
    rows = with_places(Article.objects.filter(state=State.LIVE)).select_related("live_revision", "workspace")
    found = []
    for article in rows.order_by("external_id")[:MAX_READ].iterator(chunk_size=200):
        body = article.live_revision.body if article.live_revision else ""
        position = position_of(article)
        for target in dict.fromkeys(_targets(body)):
            name = _name_of(target, here)
            is_lost = is_relative(target) and known.find(target, position) is None
            if is_lost or (name is not None and name not in known.names and name not in known.pictures):
                found.append(Broken(article, target))
    return found


def _known() -> Targets:
    """Return the valid targets: the public help pages, by all their names and file names, and the pictures."""
    viewer, known = Viewer(surface=Surface.HELP_PAGES), Targets()
    known.add(with_places(readable(viewer)))
    add_former_names(known, viewer)
    known.pictures = {f"pictures/{file_name(one)}" for one in Picture.objects.only("digest", "media_type")}
    return known


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
