"""Renders an answer as HTML for the team's pages. Pure.

It supports the same Markdown as the chat (`frontend/src/markdown.js`): paragraphs, headings, lists, bold, italic, code,
and http and https links. Everything else is shown as text, so agents see everything that the customer sees.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

# The same character classes as in JavaScript, which contain only ASCII letters and digits. Source numbers are left
# unchanged.
_INLINE: Final = re.compile(
    r"`([^`]+)`"
    r"|\*\*(?=\S)(.+?)\*\*"
    r"|(?<![A-Za-z0-9_*])[*_](?=\S)([^*_]+)[*_](?![A-Za-z0-9_*])"
    r"|\[([^\[\]]+)\]\(([^()\s]+)\)"
    r"|(https?://[^\s<>\"'`*)\]]*[^\s<>\"'`*)\].,;:!?])"
)
_FENCE: Final = "```"
_KINDS: Final = {
    "ul": re.compile(r"[-*•] +"),
    "ol": re.compile(r"[0-9]{1,3}[.)] +"),
    "b": re.compile(r"#{1,6} +"),
}
_LINK: Final = '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>'


def answer_html(text: str) -> SafeString:
    """Return an answer's Markdown as HTML that is safe to show."""
    return format_html_join("", "{}", ((_block(kind, lines),) for kind, lines in _blocks(text)))


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    kind, lines = "", list[str]()
    for raw in [*re.split(r"\r?\n", text), ""]:
        line = raw.strip()
        if kind == "pre" and not line.startswith(_FENCE):
            lines.append(raw)
            continue
        found = "" if not line or kind == "pre" else _kind_of(line, raw, kind)
        if found and found == kind and kind != "b":
            lines.append(line)
            continue
        if kind:
            yield kind, lines
        kind, lines = found, [] if found == "pre" else [line]
    if kind == "pre":  # a code block that is never closed
        yield kind, lines[:-1]


def _kind_of(line: str, raw: str, before: str) -> str:
    """Return the kind of block that a line belongs to; an indented line below a list item belongs to that item."""
    if line.startswith(_FENCE):
        return "pre"
    found = next((kind for kind, prefix in _KINDS.items() if prefix.match(line)), "")
    return found or (before if raw.startswith("  ") and before else "p")


def _block(kind: str, lines: list[str]) -> SafeString:
    if kind == "pre":
        return format_html('<pre tabindex="0">{}</pre>', "\n".join(lines))
    if kind == "b":
        return format_html("<p><b>{}</b></p>", _inline(_KINDS[kind].sub("", lines[0], count=1)))
    if kind == "p":
        return format_html('<p dir="auto">{}</p>', format_html_join(mark_safe("<br>"), "{}", map(_alone, lines)))
    entries: list[str] = []
    for line in lines:
        prefix = _KINDS[kind].match(line)
        entries.append(line[prefix.end() :] if prefix else f"{entries.pop()} {line}")
    items = format_html_join("", "<li>{}</li>", map(_alone, entries))
    return format_html('<{} dir="auto">{}</{}>', mark_safe(kind), items, mark_safe(kind))


def _alone(line: str) -> tuple[SafeString]:
    return (_inline(line),)


def _inline(text: str) -> SafeString:
    parts, end = list[SafeString](), 0
    for match in _INLINE.finditer(text):
        code, bold, italic, label, target, address = match.groups()
        parts.append(escape(text[end : match.start()]))
        end = match.end()
        if code:
            parts.append(format_html("<code>{}</code>", code))
        elif bold:
            parts.append(format_html("<strong>{}</strong>", _inline(bold)))
        elif italic:
            parts.append(format_html("<em>{}</em>", _inline(italic)))
        elif is_link(address or target):
            parts.append(format_html(_LINK, address or target, label or address))
        else:
            parts.append(escape(match.group()))
    return mark_safe("".join([*parts, escape(text[end:])]))  # each part is escaped above


def is_link(address: str) -> bool:
    """Return whether an address is shown as a link, by the same rule as in the chat."""
    try:
        found = urlsplit(address)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.hostname) and "@" not in found.netloc
