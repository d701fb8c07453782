"""Finding the targets of links between articles that come from files, written as relative paths (`../fees.md#abroad`).

Such a link is resolved relative to the article's file first, and then relative to its help page, as a browser would. A
file of a source is found by its path in this source, whatever its article's id is. Without a source, as in an imported
folder, the path is the external id.
"""

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.db.models import F, Q, QuerySet

from kb.access import Viewer, readable
from kb.article_urls import article_address
from kb.help_centre.slugs import as_id
from kb.models import Article, OldAddress, Picture
from kb.pictures import file_name
from kb.sources.models import SourceItem

# The files that a link without an ending may mean, as documentation generators write such links.
_ENDINGS: Final = ("", ".md", ".html", "/index.md", "/README.md", "/index.html")
HOME: Final = "."  # the help centre's home page


@dataclass(frozen=True, slots=True)
class Position:
    """Where an article's file and help page are. `source` is the file's source, or the text before the path in
    `Article.origin` if the source has been deleted; None if the article comes from no source.
    """

    path: str
    name: str
    source: Any = None
    item: Any = None
    prefix: str = ""


@dataclass(slots=True)
class Targets:
    """The targets that relative links can have: articles, by their source and path and by the names of their help
    pages, and stored pictures, by name.
    """

    files: dict[tuple[Any, str], Article] = field(default_factory=dict)
    names: dict[str, Article] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)

    def add(self, articles: Iterable[Article]) -> None:
        """Add articles from `with_places`."""
        for article in articles:
            position = position_of(article)
            if position.source is not None:
                self.files[position.source, position.path] = article
            for name in (article.slug, article.external_id, str(article.pk)):
                if name:
                    self.names.setdefault(name, article)

    def find(self, target: str, position: Position) -> Article | str | None:
        """Return the article that a relative link leads to, or the name of the picture or home page, or None."""
        for path in file_paths(target, position):
            found = self.names.get(path) if position.source is None else self.files.get((position.source, path))
            if found is not None:
                return found
        name = page_name(target, position)
        if name == HOME or name in self.pictures:
            return name
        return self.names.get(name) or self.names.get(name.removesuffix(".md"))


def with_places(articles: QuerySet[Article]) -> QuerySet[Article]:
    """Return articles with the fields that `position_of` needs, without the contents of their files."""
    places = {"source_pk": F("source_item__source_id"), "item_key": F("source_item__key")}
    return articles.select_related("workspace").annotate(**places)


def position_of(article: Article) -> Position:
    """Return the position of an article from `with_places`."""
    name, origin = article.slug or article.external_id, article.origin
    if not origin or origin.startswith(("http://", "https://")):
        return Position(article.external_id, name)
    source, key = article.source_pk, article.item_key  # type: ignore[attr-defined]  # annotated
    # The origin begins with the source's name when the file was read.
    begin = origin.find(f": {key}") if key else -1
    begin = (begin if begin >= 0 else origin.rfind(": ")) + 2
    prefix = origin[:begin]
    return Position(origin[begin:], name, source or prefix, article.source_item_id, prefix)


def is_relative(target: str) -> bool:
    """Return whether a link is a path relative to its own page or file."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return bool(parts.path) and not (parts.scheme or parts.netloc or parts.path.startswith("/"))


def file_paths(target: str, position: Position) -> list[str]:
    """Return the paths that a relative link in a file may mean, most likely first."""
    path = _joined(posixpath.dirname(position.path), target)
    endings = [one for one in _ENDINGS if path != "." or one.startswith("/")]
    return [posixpath.normpath(f"{path}{ending}") for ending in endings] if path else []


def page_name(target: str, position: Position) -> str:
    """Return the name of the help page or picture that a browser would open; "" outside the help centre."""
    return _joined(position.name, target)


def _joined(base: str, target: str) -> str:
    path = posixpath.normpath(posixpath.join(base, unquote(urlsplit(target).path)))
    return "" if path == ".." or path.startswith("../") or "\0" in path else path


def resolver(article: Article, viewer: Viewer) -> Callable[[Collection[str]], Mapping[str, str]]:
    """Return a function that returns the address of each link: for a relative path, that of its article or picture, or
    "" if the viewer cannot open one; for any other link, the link itself. All links are looked up together.
    """

    def addresses_of(links: Collection[str]) -> Mapping[str, str]:
        relative = {link for link in links if is_relative(link)}
        addresses = {link: link for link in links if link not in relative}
        if relative:
            position = position_of(with_places(Article.objects.filter(pk=article.pk)).get())
            targets, home = _looked_up(relative, position, viewer), f"/help/{article.workspace.slug}/"
            addresses |= {link: _address(link, targets.find(link, position), home) for link in relative}
        return addresses

    return addresses_of


def _address(link: str, found: Article | str | None, home: str) -> str:
    parts = urlsplit(link)
    if isinstance(found, str):
        query = f"?{parts.query}" if parts.query else ""
        return f"{home}{query}" if found == HOME else f"{home}{found}"
    address = article_address(found) if found is not None else ""
    return f"{address}#{parts.fragment}" if address and parts.fragment else address


def _looked_up(links: Collection[str], position: Position, viewer: Viewer) -> Targets:
    """Return the possible targets of these links, with the same few statements for any number of links."""
    paths = {path for link in links for path in file_paths(link, position)}
    names = {name for link in links if (name := page_name(link, position)) not in ("", HOME)}
    names |= {name.removesuffix(".md") for name in names}
    targets, rows = Targets(), with_places(readable(viewer))
    if position.source is None:
        names |= paths
    elif position.item is None:  # the source has been deleted
        targets.add(rows.filter(source_item=None, origin__in=[f"{position.prefix}{path}" for path in paths]))
    else:
        items = SourceItem.objects.filter(source=position.source, key__in=paths).values_list("pk", flat=True)
        in_archive = Q(source_item=position.item, origin__in=[f"{position.prefix}{path}" for path in paths])
        targets.add(rows.filter(Q(source_item__in=list(items)) | in_archive))
    ids = [pk for name in names if (pk := as_id(name)) is not None]
    targets.add(rows.filter(Q(external_id__in=names) | (Q(slug__in=names) & ~Q(slug="")) | Q(pk__in=ids)))
    if former := names - targets.names.keys():
        add_former_names(targets, viewer, former)
        targets.pictures = {f"pictures/{file_name(one)}" for one in _pictures(former)}
    return targets


def add_former_names(targets: Targets, viewer: Viewer, names: Collection[str] | None = None) -> None:
    """Add articles under their former names: those in `names`, or all former names if it is None."""
    rows = OldAddress.objects.filter(article__in=readable(viewer))
    rows = rows if names is None else rows.filter(name__in=names)
    pairs = list(rows.values_list("name", "article_id"))
    articles = with_places(Article.objects.all()).in_bulk([pk for _, pk in pairs]) if pairs else {}
    for name, pk in pairs:
        targets.names.setdefault(name, articles[pk])


def _pictures(names: Collection[str]) -> Iterable[Picture]:
    digests = {posixpath.basename(name).partition(".")[0] for name in names if name.startswith("pictures/")}
    return Picture.objects.filter(digest__in=digests).only("digest", "media_type") if digests else ()
