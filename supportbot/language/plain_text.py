"""Converts Markdown to plain text for embedding and indexing.

Bodies are untrusted, so every pattern takes linear time: it starts at a rare character, stops at the next one of the
same kind, and never backtracks (`*+`) where spaces could be matched twice.
"""

import html
import re

_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\))?(?:\s+\"[^\"\n]*\")?\)")
_PICTURE = re.compile(r"!(\[[^\[\]]*\]\([^()\s]*(?:\([^()\s]*\))?(?:\s+\"[^\"\n]*\")?\))")
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^<>\s]{1,500})>")
_TAG = re.compile(r"(?<!\\)</?[A-Za-z][^<>]{0,300}>|<!--[^<>]{0,1000}-->")
_TABLE_RULE = re.compile(r"^[ \t]*+\|?[ \t]*+:?--[-:| \t]*+$", re.MULTILINE)
_LINE_SIGN = re.compile(r"^[ \t]{0,12}(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|(?:`{3,}|~{3,})[^\n]*$)", re.MULTILINE)
_LIST_MARK = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_{1,3}(?=\w)|(?<=\w)_{1,3}(?!\w)")
# Soft hyphens and zero-width characters would split a word for tokenizers, although readers see a single word.
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_MANY_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n){2,}")
_BLANK_LINES = re.compile(r" ?\n\s*+")


def plain(markdown: str) -> str:
    """Return the visible words of `markdown`: without addresses of links, pipes between cells, escapes and tags."""
    text = _LINK.sub(r"\1", markdown.replace("\x00", " "))
    text = _AUTOLINK.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    text = _TABLE_RULE.sub("", text)
    text = _LINE_SIGN.sub("", text)
    text = _EMPHASIS.sub("", text.replace("|", " "))
    text = html.unescape(_ESCAPE.sub(r"\1", text))
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text))
    return _BLANK_LINES.sub("\n", text).strip()


def for_terminal(markdown: str) -> str:
    """Return Markdown as it is read in a terminal: paragraphs and the marks of lists are kept, the cells of a table's
    row are separated by dots, and other markup is removed.
    """
    lines = (_line_for_terminal(line) for line in _TABLE_RULE.sub("\x00", markdown.strip()).split("\n"))
    return "\n".join(line for line in lines if line is not None)


def _line_for_terminal(line: str) -> str | None:
    if line == "\x00":  # the rule below a table's head
        return None
    mark = _LIST_MARK.match(line)
    start = mark[0] if mark else ""
    cells = _CELL_BORDER.split(line[len(start) :].strip().strip("|"))
    return f"{start}{' · '.join(filter(None, map(plain, cells)))}".rstrip()


def without_pictures(markdown: str) -> str:
    """Return Markdown with each picture replaced by its description, for places that cannot show pictures."""
    text = _PICTURE.sub(lambda picture: plain(picture[0]), markdown)
    return text if text == markdown else _MANY_BLANK_LINES.sub("\n\n", text).strip()
