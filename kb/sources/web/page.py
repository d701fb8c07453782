"""Reading one page: its metadata, its links, and its own text without the site's boilerplate. Pure.

The boilerplate, or frame (navigation, cookie banner, header, footer), is recognised by its elements and roles, by the
names that themes give to parts, and by what other pages of the site share (`shared_boilerplate.py`).
"""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kb.importing.loaders.html import markdown_of_tree, parsed_html
from kb.importing.pictures import PicturesTaken
from kb.sources.web.shared_boilerplate import Frame
from kb.sources.web.urls import one_spelling
from kb.validation import MAX_TITLE_CHARACTERS
from supportbot.language.plain_text import plain

MAX_LINKS: Final = 5_000
MOST_OF_AN_INDEX: Final = 300  # characters outside links; a page with more is not an index
_LINKED: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_LINKED_WHOLE: Final = re.compile(r"\[[^\]]*\]\([^)]*\)")
_SPACE: Final = re.compile(r"\s+")
_FRAME: Final = (
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [role=complementary], [role=dialog], "
    "[role=alertdialog], [hidden], [aria-hidden=true], [aria-modal=true]"
)
# Names that themes give to the parts around the text: whole words of a class or an id.
_FRAME_WORDS: Final = frozenset({
    "breadcrumb", "breadcrumbs", "consent", "cookie", "cookies", "cookiebar", "cookiebanner", "gdpr", "footer",
    "masthead", "menu", "nav", "navbar", "navigation", "newsletter", "pager", "pagination", "sidebar", "sidenav",
    "skip", "share", "sharing", "sitefooter", "siteheader", "skiplink", "social", "subnav", "toc", "topbar", "topnav",
})  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z][a-z]*|[A-Z]+")
_MOST_OF_A_PAGE: Final = 0.5  # an element with more than this share of a page's text is its text, whatever its name


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    body: str  # Markdown
    locale: str
    canonical: str
    is_indexed: bool
    is_followed: bool
    links: tuple[str, ...]

    @property
    def is_index(self) -> bool:
        """Return whether the page only links to others, so that an answer from it would be a list of titles."""
        linked = sum(len(text) for text in _LINKED.findall(self.body))
        others = len(plain(_LINKED_WHOLE.sub("", self.body)).replace(self.title, "", 1).strip())
        return linked > others and others < MOST_OF_AN_INDEX


def read_page(
    text: str, url: str, frame: Frame, robots_header: str = "", take: Callable[[str], PicturesTaken] | None = None
) -> Page:
    """Return a page's content; `take` is called with the base URL of its pictures.

    Raises InvalidDocument if the text cannot be stored.
    """
    tree = parsed_html(text)
    base = _base(tree, url)
    orders = {word.strip() for word in f"{_meta(tree, 'robots')},{robots_header}".lower().split(",")}
    links = _links(tree, base)
    title, canonical = _title(tree, frame), _canonical(tree, base)
    _make_absolute(tree, base)
    _cut_frame(tree)
    return Page(
        title=title,
        body=frame.without(markdown_of_tree(tree, take(base) if take else None), title),
        locale=_locale(tree),
        canonical=canonical,
        is_indexed=not orders & {"noindex", "none"},
        is_followed=not orders & {"nofollow", "none"},
        links=links,
    )


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return (one_spelling(node.attributes.get("href") or "", url) if node is not None else "") or url


def _meta(tree: LexborHTMLParser, name: str) -> str:
    return ",".join(
        node.attributes.get("content") or ""
        for node in tree.css("meta[name]")
        if (node.attributes.get("name") or "").strip().lower() == name
    )


def _links(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in tree.css("a[href], area[href], link[rel=next]")[:MAX_LINKS]:
        rel = (node.attributes.get("rel") or "").lower().split()
        address = one_spelling(node.attributes.get("href") or "", base)
        if address and "nofollow" not in rel:
            found[address] = None
    return tuple(found)


def _canonical(tree: LexborHTMLParser, base: str) -> str:
    for node in tree.css("link[rel][href]"):
        if "canonical" in (node.attributes.get("rel") or "").lower().split():
            return one_spelling(node.attributes.get("href") or "", base)
    return ""


def _locale(tree: LexborHTMLParser) -> str:
    node = tree.css_first("html")
    return (node.attributes.get("lang") or node.attributes.get("xml:lang") or "" if node is not None else "").strip()


def _title(tree: LexborHTMLParser, frame: Frame) -> str:
    for selector in ("main h1, article h1", "h1"):
        for node in tree.css(selector):
            if (text := _text(node)) and not frame.has(text):
                return text
    named = tree.css_first("title")
    return frame.without_site_name(_text(named)) if named is not None else ""


def _text(node: LexborNode) -> str:
    return _SPACE.sub(" ", node.text(deep=True)).strip()[:MAX_TITLE_CHARACTERS]


def _make_absolute(tree: LexborHTMLParser, base: str) -> None:
    for node in tree.css("a[href]"):
        href = (node.attributes.get("href") or "").strip()
        if not href.startswith(("#", "mailto:")) and (address := one_spelling(href, base)):
            node.attrs["href"] = address


def _cut_frame(tree: LexborHTMLParser) -> None:
    body = tree.body
    if body is None:
        return
    whole = max(len(body.text(deep=True)), 1)
    inside = {node.mem_id for node in tree.css("main, article")}
    headers = _not_below(tree.css("body header"), inside)
    named = [node for node in tree.css("div, section, ul, ol, header") if _has_frame_name(node)]
    found = {node.mem_id: node for node in (*tree.css(_FRAME), *headers, *named) if not _is_text(node, whole)}
    # Only the outermost elements: those inside are removed with them, and must not be touched afterwards.
    for node in _not_below(list(found.values()), found):
        node.decompose()


def _is_text(node: LexborNode, whole: int) -> bool:
    is_most = len(node.text(deep=True)) > _MOST_OF_A_PAGE * whole
    return node.tag in ("html", "body", "main", "article") or (
        is_most and node.css_first("h1, main, article") is not None
    )


def _has_frame_name(node: LexborNode) -> bool:
    names = node.attributes.get("class") or ""
    # A section's id is derived from its heading, which may be about cookies or a menu.
    if node.tag != "section" and "section" not in names:
        names = f"{names} {node.attributes.get('id') or ''}"
    return any(word.lower() in _FRAME_WORDS for word in _WORD.findall(names))


def _not_below(nodes: Sequence[LexborNode], others: Container[int]) -> list[LexborNode]:
    """Return the nodes that are not inside any of `others`, since the decision for a parent covers its children."""
    known: dict[int, bool] = {}
    return [node for node in nodes if not _is_below(node, others, known)]


def _is_below(node: LexborNode, others: Container[int], known: dict[int, bool]) -> bool:
    passed: list[int] = []
    parent, is_below = node.parent, False
    while parent is not None and not is_below:
        place = parent.mem_id
        if place in known:
            is_below = known[place]
            break
        passed.append(place)
        is_below = place in others
        parent = parent.parent
    known.update(dict.fromkeys(passed, is_below))
    return is_below
