"""HTML to Markdown: what a reader of the page would read, with headings, lists, tables and links.

It walks the parsed tree. Unknown elements contribute their text; scripts, styles, navigation, forms and images are left
out.
"""

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from kb.documents import MAX_BODY_CHARACTERS, MAX_TITLE_CHARACTERS, Document, check_storable
from kb.errors import InvalidDocument
from kb.importing.loaders.markdown import document_of

# Deeper trees are attacks on parsers; below this depth only the text is used.
MAX_DEPTH = 120
# Each enclosing list and quotation prefixes a line with its mark or indent; deeper ones become plain lines, or the text
# would grow with its depth.
MAX_NESTED_MARKS = 10
# During conversion, including what is cleaned up afterwards.
MAX_CHARACTERS = 2 * MAX_BODY_CHARACTERS

_LEFT_OUT = [
    "script", "style", "noscript", "template", "head", "nav", "aside", "footer", "form", "button", "select", "iframe",
    "object", "embed", "svg", "math", "canvas", "audio", "video", "img", "picture", "input", "textarea", "dialog",
]  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCKS = {
    "address", "article", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "header", "html", "main", "p", "section", "summary",
}  # fmt: skip
_MARKED = ("ul", "ol", "li", "blockquote")
_ROW_GROUPS = ("thead", "tbody", "tfoot")
_SPACE = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n{3,}")
_SIGNS = re.compile(r"([\\`*\[\]<])")
# What would start a heading, quotation or list at the start of a line.
_LINE_START = re.compile(r"^([#>+-]|\d{1,9}[.)])(?=\s|$)", re.MULTILINE)
_LINK = re.compile(r"(?:https?://|mailto:|/(?!/)|#)[^\s<>()]+", re.IGNORECASE)


def read_html(text: str, path: str) -> Document:
    """Return the document of an HTML page; raises InvalidDocument if it has no text."""
    title, body = markdown_of_html(text)
    return document_of({"title": title} if title else {}, body, path)


def markdown_of_html(text: str) -> tuple[str, str]:
    """Return (title, Markdown) of a page; the title is empty if the page has none. Raises InvalidDocument."""
    tree = LexborHTMLParser(check_storable("html", text))
    title = _title(tree)
    tree.strip_tags(_LEFT_OUT, recursive=False)
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    return title, "" if root is None else _tidy(_inner(root, 0, 0))


def _title(tree: LexborHTMLParser) -> str:
    for selector in ("main h1, article h1", "h1", "title"):
        node = tree.css_first(selector)
        if node is not None and (text := _SPACE.sub(" ", node.text(deep=True)).strip()):
            return text[:MAX_TITLE_CHARACTERS]
    return ""


def _tidy(markdown: str) -> str:
    lines = (line.rstrip() for line in markdown.split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n" if markdown.strip() else ""


def _inner(node: LexborNode, depth: int, marks: int) -> str:
    """Return the Markdown of a node's children. Raises InvalidDocument once it is more than any article may have."""
    pieces, length = [], 0
    for child in _children(node):
        pieces.append(_piece(child, depth, marks))
        length += len(pieces[-1])
        if length > MAX_CHARACTERS:
            raise InvalidDocument(f"The page has more than {MAX_CHARACTERS:,} characters. Split it.")
    return "".join(pieces)


def _piece(node: LexborNode, depth: int, marks: int) -> str:
    tag = node.tag or ""
    if tag == "-text":
        return _escaped(_SPACE.sub(" ", node.text(deep=False)))
    if tag.startswith(("-", "!")):  # comments and the document type
        return ""
    if depth >= MAX_DEPTH:
        return _escaped(_SPACE.sub(" ", node.text(deep=True)))
    if tag == "br":
        return "\n"
    if tag == "hr":
        return "\n\n---\n\n"
    if tag == "pre":
        return _listing(node)
    if tag == "table":
        return _table(node, depth, marks)
    if tag in ("li", "blockquote"):
        marks += 1
    inner = _inner(node, depth + 1, marks)
    return f"\n{inner.strip()}\n" if marks > MAX_NESTED_MARKS and tag in _MARKED else _wrapped(tag, node, inner)


def _wrapped(tag: str, node: LexborNode, inner: str) -> str:
    if tag in _HEADINGS:
        heading = _SPACE.sub(" ", inner).strip()
        return f"\n\n{_HEADINGS[tag]} {heading}\n\n" if heading else ""
    if tag in ("ul", "ol"):
        return f"\n\n{inner.strip(chr(10))}\n\n"
    if tag == "li":
        return _item(node, inner)
    if tag == "blockquote":
        quoted = "\n".join(f"> {line}".rstrip() for line in _tidy(inner).strip().split("\n"))
        return f"\n\n{quoted}\n\n"
    if tag in _BLOCKS:
        return f"\n\n{_LINE_START.sub(_literal, inner.strip(' ')) if tag in ('p', 'dd', 'dt') else inner}\n\n"
    return _inline(tag, node, inner)


def _inline(tag: str, node: LexborNode, inner: str) -> str:
    text = inner.strip()
    if tag == "a" and text and _LINK.fullmatch(address := (node.attributes.get("href") or "").strip()):
        return f"[{_SPACE.sub(' ', text)}]({address})"
    mark = {"strong": "**", "b": "**", "em": "*", "i": "*"}.get(tag)
    if mark and text and "\n" not in text:
        # Spaces must be outside the marks, or Markdown treats these as asterisks.
        before, after = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        return f"{before}{mark}{text}{mark}{after}"
    if tag in ("code", "kbd", "samp"):
        plain = _SPACE.sub(" ", node.text(deep=True)).strip()
        return f"`{plain}`" if plain and "`" not in plain else inner
    return inner


def _item(node: LexborNode, inner: str) -> str:
    """Return a list item with its nested lists indented below it."""
    parent = node.parent
    mark = "1. " if parent is not None and parent.tag == "ol" else "- "
    lines = _tidy(inner).strip().split("\n")
    rest = [f"{' ' * len(mark)}{line}".rstrip() for line in lines[1:]]
    return "\n".join([f"{mark}{lines[0]}", *rest]) + "\n" if lines[0] else ""


def _listing(node: LexborNode) -> str:
    code = node.text(deep=True).strip("\n")
    fence = "~~~~" if "```" in code else "```"
    return f"\n\n{fence}\n{code}\n{fence}\n\n" if code.strip() else ""


def _table(node: LexborNode, depth: int, marks: int) -> str:
    # Only its own rows and cells: querying all descendants would process nested tables again at every level.
    rows = [row for part in _children(node) for row in (_children(part) if part.tag in _ROW_GROUPS else [part])]
    cells = [[_cell(cell, depth, marks) for cell in _children(row) if cell.tag in ("th", "td")] for row in rows]
    return f"\n\n{markdown_table(cells)}\n\n"


def _cell(node: LexborNode, depth: int, marks: int) -> str:
    if node.css_first("table") is not None:  # a nested table becomes plain text
        return _escaped(_SPACE.sub(" ", node.text(deep=True)).strip())
    return _SPACE.sub(" ", _inner(node, depth + 1, marks)).strip()


def _children(node: LexborNode) -> list[LexborNode]:
    found, child = [], node.child
    while child is not None:
        found.append(child)
        child = child.next
    return found


def _escaped(text: str) -> str:
    return _SIGNS.sub(r"\\\1", text)


def _literal(match: re.Match[str]) -> str:
    """Escape the character that would start a list or heading ("1." needs the backslash before the dot)."""
    sign = match.group(1)
    return f"{sign[:-1]}\\{sign[-1]}"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a pipe table with the first row as header; shorter rows are padded."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return ""
    width = max(len(row) for row in filled)
    lines = ["| " + " | ".join(_cells(row, width)) + " |" for row in filled]
    lines.insert(1, "|" + "---|" * width)
    return "\n".join(lines)


def _cells(row: Sequence[str], width: int) -> list[str]:
    cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
    return cells + [""] * (width - len(cells))
