"""Markdown to harmless HTML: the one renderer for articles, answers and previews.

It has two layers of defence. The parser ignores HTML and accepts only safe links; then an allow-list drops every
element and attribute that is not listed here. Images are left out, because text must not make a browser fetch anything.
Only articles show pictures, and only stored ones (`kb.pictures`).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kb.passage_highlighting import PASSAGE_ID, marked_tokens
from supportbot.language.normalise import visible

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "mark", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
# The cleaner allows `title` and `lang` everywhere unless "*" says otherwise.
_ATTRIBUTES = {
    "*": set(),
    "a": {"href"},
    "ol": {"start"},
    "mark": {"id"},
    "img": {"src", "alt"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
# The address of a stored picture; no other pictures are shown.
PICTURE: Final = r"/help/[\w-]+/pictures/([0-9a-f]{40})\.(?:png|webp)"
_SCHEMES = {"http", "https", "mailto"}
# A path on this host, an anchor on this page, or one of the schemes. "//host" and "/\\host" lead elsewhere.
_LINK = re.compile(r"(?:https?://|mailto:|#|\?|/(?![/\\])|(?![/\\])[^:/?#]*(?:[/?#]|$))", re.IGNORECASE)
_HEADING_ID = re.compile(r"\{#([A-Za-z][\w.-]{0,100})\}")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading for the table of contents."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedArticle:
    """A rendered article. `html` is safe to show; `is_marked` says whether the passage could be highlighted."""

    html: SafeString
    headings: tuple[Heading, ...]
    is_marked: bool


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.validateLink = is_safe_link  # type: ignore[method-assign,assignment]  # the documented way to replace it
    parser.add_render_rule("image", _picture)
    return parser


def _picture(_renderer: object, tokens: Sequence[Token], place: int, _options: object, env: dict[str, bool]) -> str:
    source = str(tokens[place].attrGet("src") or "")
    if not env.get("shows_pictures") or not re.fullmatch(PICTURE, source):
        return ""
    return format_html('<img src="{}" alt="{}">', source, tokens[place].content)


def is_safe_link(address: str) -> bool:
    return _LINK.match(address.strip()) is not None and "\\" not in address


_markdown = _parser()


def render_markdown(body: str) -> SafeString:
    """Return `body` as HTML that is safe to show on any of our pages."""
    return _clean(_markdown.renderer.render(_demoted(_markdown.parse(body)), _markdown.options, {}))


def render_article(
    title: str,
    body: str,
    *,
    passage: tuple[int, int] | None = None,
    addresses_of: Callable[[Collection[str]], Mapping[str, str]] | None = None,
) -> RenderedArticle:
    """Return an article without its title, with the passage `body[start:end]` highlighted.

    A first heading that repeats the title is left out, since the page shows the title itself. `addresses_of` takes the
    targets of all links and returns their addresses; a link with the address "" becomes plain text.
    """
    tokens, is_marked = _markdown.parse(body), False
    if passage is not None:
        tokens, is_marked = marked_tokens(_markdown, body, passage)
    if addresses_of is not None:
        links = [one for token in tokens for one in token.children or () if one.type == "link_open"]
        addresses = addresses_of({str(link.attrGet("href") or "") for link in links})
        for token in tokens:
            token.children = list(_linked(token.children, addresses)) if token.children else token.children
    tokens = _with_heading_ids(_levelled(_without_title(tokens, title)))
    html = _markdown.renderer.render(tokens, _markdown.options, {"shows_pictures": True})
    return RenderedArticle(_clean(html), tuple(_contents(tokens)), is_marked)


def _clean(html: str) -> SafeString:
    safe = nh3.clean(
        visible(html),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener nofollow",
        strip_comments=True,
    )
    # Wide content scrolls in a region that the keyboard can reach; at this point, both strings can only be real tags.
    safe = safe.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
    safe = safe.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    # An empty corner cell is not a header.
    return mark_safe(safe.replace("<th></th>", "<td></td>"))  # cleaned above


def _demoted(tokens: Sequence[Token]) -> list[Token]:
    """Move every heading one level down, since the page has its own first heading."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    return list(tokens)


def _levelled(tokens: Sequence[Token]) -> list[Token]:
    """Move the headings below the page's own, without gaps: an article may start with `##` or skip a level."""
    open_levels: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            open_levels = [*(level for level in open_levels if level < token.tag), token.tag]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(open_levels) + 1, 6)}"
    return list(tokens)


def _linked(tokens: Sequence[Token], addresses: Mapping[str, str]) -> Iterator[Token]:
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            address = addresses[str(token.attrGet("href") or "")]
            is_dropped = not address
            token.attrSet("href", address)
        if not (is_dropped and token.type in ("link_open", "link_close")):
            yield token


def _without_title(tokens: Sequence[Token], title: str) -> list[Token]:
    first = [token.type for token in tokens[:3]] == ["heading_open", "inline", "heading_close"]
    if first and " ".join(_text(tokens[1]).split()).casefold() == title.casefold():
        return list(tokens[3:])
    return list(tokens)


def _with_heading_ids(tokens: Sequence[Token]) -> list[Token]:
    """Give every heading an id: the one written as `{#id}`, otherwise one made from its text."""
    taken = {PASSAGE_ID}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        written = _written_id(inline)
        name = base = written or slugify(_text(inline))[:80] or "section"
        count = 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        opening.attrSet("id", name)
    return list(tokens)


def _written_id(inline: Token) -> str:
    """Remove a trailing `{#id}` from a heading and return the id."""
    last = inline.children[-1] if inline.children else None
    if last is None or last.type != "text":
        return ""
    text = last.content.rstrip()
    # A pattern with spaces before the id would backtrack at each space of the heading.
    begin = max(text.rfind("{#"), 0)
    found = _HEADING_ID.fullmatch(text, begin)
    if found is None:
        return ""
    last.content = text[:begin].rstrip(" \t")
    return found.group(1)


def _contents(tokens: Sequence[Token]) -> Iterator[Heading]:
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag in ("h2", "h3"):
            yield Heading(str(opening.attrGet("id")), _text(inline))


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
