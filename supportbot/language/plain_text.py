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


def without_pictures(markdown: str) -> str:
    """Return Markdown with each picture replaced by its description, for places that cannot show pictures."""
    text = _PICTURE.sub(lambda picture: plain(picture[0]), markdown)
    return text if text == markdown else _MANY_BLANK_LINES.sub("\n\n", text).strip()
