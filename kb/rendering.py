"""Markdown to HTML that can do nothing: the one renderer for articles, answers and previews.

Two nets, one behind the other. The parser reads no HTML and knows links of three kinds only; then an allow-list drops
every element and attribute that is not named here. Pictures are left out: nothing is fetched because a text says so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import nh3
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kb.highlighting import PASSAGE_ID, marked_tokens
from supportbot.language.normalise import visible

_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "mark", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
# The cleaner lets `title` and `lang` through everywhere unless "*" says otherwise.
_ATTRIBUTES = {
    "*": set(),
    "a": {"href"},
    "ol": {"start"},
    "mark": {"id"},
    **{f"h{level}": {"id"} for level in range(2, 7)},
}
_SCHEMES = {"http", "https", "mailto"}
# A path on this host, a place on this page, or one of the schemes. "//host" and "/\\host" lead elsewhere.
_LINK = re.compile(r"(?:https?://|mailto:|#|\?|/(?![/\\])|(?![/\\])[^:/?#]*(?:[/?#]|$))", re.IGNORECASE)
_HEADING_ID = re.compile(r"\{#([A-Za-z][\w.-]{0,100})\}")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the second level, for the list of contents."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedArticle:
    """`html` is safe to show; `is_marked` tells whether the passage asked for could be shown."""

    html: SafeString
    headings: tuple[Heading, ...]
    is_marked: bool


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.validateLink = is_safe_link  # type: ignore[method-assign,assignment]  # the documented way
    parser.add_render_rule("image", lambda *_: "")
    return parser


def is_safe_link(address: str) -> bool:
    return _LINK.match(address.strip()) is not None and "\\" not in address


_markdown = _parser()


def render_markdown(body: str) -> SafeString:
    """Return `body` as HTML that is safe to show on any page of ours."""
    return _clean(_markdown.renderer.render(_demoted(_markdown.parse(body)), _markdown.options, {}))


def render_article(title: str, body: str, *, passage: tuple[int, int] | None = None) -> RenderedArticle:
    """Return an article below its title, with the passage `body[start:end]` marked.

    A first heading that repeats the title is left out, since the page shows the title itself.
    """
    tokens, is_marked = _markdown.parse(body), False
    if passage is not None:
        tokens, is_marked = marked_tokens(_markdown, body, passage)
    tokens = _with_heading_ids(_levelled(_without_title(tokens, title)))
    html = _markdown.renderer.render(tokens, _markdown.options, {})
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
    # Wide things scroll inside a region that the keyboard reaches; both strings can only be real tags here.
    safe = safe.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
    safe = safe.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    # The empty corner above row names heads nothing.
    return mark_safe(safe.replace("<th></th>", "<td></td>"))  # cleaned above


def _demoted(tokens: Sequence[Token]) -> list[Token]:
    """Put every heading one level down: the page has its own first one."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    return list(tokens)


def _levelled(tokens: Sequence[Token]) -> list[Token]:
    """Put the headings below the page's own first one, without gaps: an article may begin with `##` or skip one."""
    open_levels: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            open_levels = [*(level for level in open_levels if level < token.tag), token.tag]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(open_levels) + 1, 6)}"
    return list(tokens)


def _without_title(tokens: Sequence[Token], title: str) -> list[Token]:
    first = [token.type for token in tokens[:3]] == ["heading_open", "inline", "heading_close"]
    if first and " ".join(_text(tokens[1]).split()).casefold() == title.casefold():
        return list(tokens[3:])
    return list(tokens)


def _with_heading_ids(tokens: Sequence[Token]) -> list[Token]:
    """Give every heading an id: the one written as `{#id}`, else one made of its words."""
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
    """Take a trailing `{#id}` off a heading and return the id."""
    last = inline.children[-1] if inline.children else None
    if last is None or last.type != "text":
        return ""
    text = last.content.rstrip()
    # A pattern with spaces before the id would begin again at each space of the heading.
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
