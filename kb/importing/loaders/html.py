"""HTML to Markdown: the visible text of a page, with its headings, lists, tables and links.

It walks the parsed tree. Unknown elements contribute their text; scripts, styles, navigation and forms are left out.
Pictures are replaced with their descriptions.
"""

import re
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from django.utils.translation import gettext
from selectolax.lexbor import LexborHTMLParser, LexborNode

from kb.errors import InvalidDocument
from kb.file_page_markers import page_mark
from kb.importing.confinement import facts_of
from kb.importing.loaders.markdown import document_of
from kb.importing.loaders.markdown_tables import headed, markdown_table, spread
from kb.importing.parsed_document import Document
from kb.importing.pictures import Beside, PicturesTaken, embedded
from kb.rendering import PICTURE
from kb.validation import MAX_BODY_CHARACTERS, MAX_TITLE_CHARACTERS, check_storable
from supportbot.team_formats import number

# Deeper trees are attacks on parsers; below this depth, only the text is used.
MAX_DEPTH = 120
# A page with at most this many `<` and characters cannot have a harmful tree.
MAX_UNTRIED = 5_000
MAX_UNTRIED_CHARACTERS = 100_000
# Each enclosing list and quotation prefixes a line with its mark or indent; deeper ones become plain lines, or the text
# would grow with its depth.
MAX_NESTED_MARKS = 10
MAX_SPAN = 50  # columns or rows of one cell
MAX_NUMBERED = 1_000  # nodes of a list that are counted before an item; renderers number items from the first one
MAX_ALT_CHARACTERS = 500  # characters of a picture's description
# The limit during conversion, including text that is removed afterwards.
MAX_CHARACTERS = 2 * MAX_BODY_CHARACTERS

_LEFT_OUT = [
    "script", "style", "noscript", "template", "head", "nav", "aside", "footer", "form", "button", "select", "iframe",
    "object", "embed", "svg", "math", "canvas", "audio", "video", "input", "textarea", "dialog",
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
# Characters that would start a heading, quotation or list at the start of a line.
_LINE_START = re.compile(r"^([#>+-]|\d{1,9}[.)])(?=\s|$)", re.MULTILINE)
_NUMBER = re.compile(r"[0-9]{1,4}")
_PLAIN_NUMBER = re.compile(r"([0-9]{1,4})[.)]")
# Word's list items: the style that contains their level, and the attribute in which their Markdown bullet or number is
# kept here.
_LIST_LEVEL = re.compile(r"mso-list:[^;]{0,40}level([1-9])")
_ITEM, _ITEM_INDENT = "data-list-item", "    "
_UNBOLD = re.compile(r"font-weight:(?:normal|[1-4]00)")
_BOLD = re.compile(r"font-weight:(?:bold|[6-9]00)")
_BOLD_ALREADY = {"b", "strong", "th", *_HEADINGS}
_PICTURE = re.compile(r"(?:https?://|/(?!/))[^\s<>()]{1,1000}", re.IGNORECASE)
# Relative paths lead to other files of the same folder; on sites, all links have been made absolute.
_LINK = re.compile(r"(?:https?://|mailto:|/(?!/)|#|(?![\w+.-]*:)[\w.%-])[^\s<>()]+", re.IGNORECASE)


def read_html(text: str, path: str, beside: Beside | None = None) -> Document:
    """Return the document of an HTML page, with the pictures beside it; raises InvalidDocument if it has no text."""
    taken = None if beside is None else PicturesTaken(beside)
    title, body = markdown_of_html(text, taken)
    document = document_of({"title": title} if title else {}, body, path)
    return document if taken is None else taken.given_to(document)


def markdown_of_html(text: str, taken: PicturesTaken | None = None) -> tuple[str, str]:
    """Return (title, Markdown) of a page; the title is empty if the page has none. Raises InvalidDocument.

    Pictures at relative addresses are kept if `taken` is given.
    """
    tree = parsed_html(text)
    title = _title(tree)
    return title, markdown_of_tree(tree, taken)


def parsed_html(text: str) -> LexborHTMLParser:
    """Return the tree of a page. Raises InvalidDocument if it cannot be stored, or is nested so deeply that it must be
    an attack. The time to build a tree grows with the square of its depth, and of the number of a tag's attributes, so
    a large page is first tried in a process with a time limit.
    """
    text = check_storable("html", text)
    if text.count("<") > MAX_UNTRIED or len(text) > MAX_UNTRIED_CHARACTERS:
        with NamedTemporaryFile(prefix="supportbot-page-") as file:
            file.write(text.encode())
            file.flush()
            facts_of("page", Path(file.name))
    return LexborHTMLParser(text)


def markdown_of_tree(tree: LexborHTMLParser, taken: PicturesTaken | None = None) -> str:
    """Return the Markdown of a page's main part; changes the tree. Raises InvalidDocument if it is too long."""
    tree.strip_tags(_LEFT_OUT, recursive=False)
    root = tree.css_first("main, [role=main]") or tree.css_first("article") or tree.body
    if root is None:
        return ""
    if taken is not None:
        _take_pictures(root, taken)
    _mark_word_items(root)
    return _tidy(_inner(root, 0, 0))


def _take_pictures(root: LexborNode, taken: PicturesTaken) -> None:
    """Give the kept pictures their new addresses. In a file, a picture without an `alt` attribute is described by its
    file name. On a site, it is not: names are often numbers there, and editors leave descriptions empty.
    """
    for node in root.css("img"):
        reference, alt = _reference(node), (node.attributes.get("alt") or "").strip()
        is_named = "alt" in node.attributes
        if is_named and not alt and not taken.least_undescribed:
            continue
        address = taken.take(reference, is_described=bool(alt) or not taken.least_undescribed)
        if address:
            node.attrs["src"] = address
        elif taken.least_undescribed:
            node.attrs["src"] = ""  # the description stays, without a link to the site
        if address and not is_named and not taken.least_undescribed and embedded(reference) is None:
            node.attrs["alt"] = _SPACE.sub(" ", PurePosixPath(reference).stem.replace("-", " ").replace("_", " "))


def _mark_word_items(root: LexborNode) -> None:
    """Mark the paragraphs that are list items: on the clipboard and in web pages, Word writes them as paragraphs that
    begin with a bullet or number in a span. Other labels, such as "3.1." or "a)", stay as text, since Markdown has no
    lists for them and other text may refer to them.
    """
    for node in root.css(f"[{_ITEM}]"):  # attributes of the page itself
        del node.attrs[_ITEM]
    levels: list[int] = []  # of the current item and those around it
    for node in root.css("p[style*='mso-list']"):
        written = next((one for one in node.css("span[style]") if _is_bullet(one)), None)
        mark = "" if written is None else _item_mark(written.text(deep=True).strip())
        if written is None or not mark:
            continue
        found = _LIST_LEVEL.search(_style(node))
        level = int(found[1]) if found else 1
        before = _element_before(node)
        levels = [one for one in levels if one < level] if before is not None and _ITEM in before.attributes else []
        node.attrs[_ITEM] = f"{_ITEM_INDENT * len(levels)}{mark} "
        levels.append(level)
        written.decompose()


def _item_mark(label: str) -> str:
    """Return the Markdown for a bullet or a plain number; "" for any other label. Bullets may be letters in a symbol
    font.
    """
    if found := _PLAIN_NUMBER.fullmatch(label):
        return f"{found[1]}."
    return "-" if len(label) == 1 and not label.isdigit() else ""


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and (before.tag or "").startswith(("-", "!")):  # white space and comments
        before = before.prev
    return before


def _is_bullet(span: LexborNode) -> bool:
    return "mso-list:ignore" in _style(span)


def _reference(node: LexborNode) -> str:
    """Return the address of a picture; pages that load pictures lazily have it in a different attribute."""
    for name in ("src", "data-src", "data-lazy-src", "data-original"):
        address = (node.attributes.get(name) or "").strip()
        if address and not address.startswith("data:"):
            return address
    own = (node.attributes.get("src") or "").strip()
    if own.startswith("data:image/") and "srcset" not in node.attributes and "data-srcset" not in node.attributes:
        return own
    return (node.attributes.get("srcset") or node.attributes.get("data-srcset") or "").strip().partition(" ")[0]


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
    """Return the Markdown of a node's children. Raises InvalidDocument once it is longer than an article may be."""
    pieces, length = [], 0
    for child in _children(node):
        pieces.append(_piece(child, depth, marks))
        length += len(pieces[-1])
        if length > MAX_CHARACTERS:
            raise InvalidDocument(
                gettext("The page has more than {number} characters. Split it.").format(number=number(MAX_CHARACTERS))
            )
    return "".join(pieces)


def _piece(node: LexborNode, depth: int, marks: int) -> str:
    tag = node.tag or ""
    if tag == "-text":
        if node.parent is not None and node.parent.tag in ("ul", "ol"):  # white space between items
            return ""
        return _escaped(_SPACE.sub(" ", node.text(deep=False)))
    if tag.startswith(("-", "!")):  # comments and the document type
        return ""
    if depth >= MAX_DEPTH:
        return _escaped(_SPACE.sub(" ", node.text(deep=True)))
    if tag == "br":
        return "\n"
    if tag == "hr":
        return "\n\n---\n\n"
    if tag == "img":
        return _picture(node)
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
    if tag == "section" and _NUMBER.fullmatch(page := (node.attributes.get("data-page") or "").strip()):
        return f"\n\n{page_mark(int(page))}\n\n{inner}\n\n"
    if tag == "p" and (item := node.attributes.get(_ITEM)) is not None and inner.strip():
        return f"\n{item}{_SPACE.sub(' ', inner).strip()}"
    if tag in _BLOCKS:
        return f"\n\n{_LINE_START.sub(_literal, inner.strip(' ')) if tag in ('p', 'dd', 'dt') else inner}\n\n"
    return _inline(tag, node, inner)


def _inline(tag: str, node: LexborNode, inner: str) -> str:
    text = inner.strip()
    if tag == "a" and text and _LINK.fullmatch(address := _encoded(node.attributes.get("href") or "")):
        return f"[{_SPACE.sub(' ', text)}]({address})"
    mark = _emphasis(tag, node)
    if mark and text and "\n" not in text:
        # Spaces must be outside the marks, or Markdown treats the marks as asterisks.
        before, after = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :]
        return f"{before}{mark}{text}{mark}{after}"
    if tag in ("code", "kbd", "samp"):
        plain = _SPACE.sub(" ", node.text(deep=True)).strip()
        return f"`{plain}`" if plain and "`" not in plain else inner
    return inner


def _encoded(address: str) -> str:
    """Return an address without line breaks, and with its spaces and round brackets encoded, as Markdown needs them."""
    joined = "".join(address.strip().splitlines()).replace("\t", "")
    return joined.replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def _emphasis(tag: str, node: LexborNode) -> str:
    """Return the Markdown mark of bold or italic text; "" for other text. Google Docs puts everything into a `b` that
    is not bold, and bold text into spans.
    """
    if tag in ("strong", "b"):
        return "" if _UNBOLD.search(_style(node)) else "**"
    if tag == "span" and _BOLD.search(_style(node)) and not _is_in_bold(node):
        return "**"
    return "*" if tag in ("em", "i") else ""


def _is_in_bold(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and not _makes_bold(parent):
        parent = parent.parent
    return parent is not None


def _makes_bold(node: LexborNode) -> bool:
    style = _style(node)
    return bool(_BOLD.search(style)) if node.tag == "span" else node.tag in _BOLD_ALREADY and not _UNBOLD.search(style)


def _style(node: LexborNode) -> str:
    return (node.attributes.get("style") or "").lower().replace(" ", "")


def _picture(node: LexborNode) -> str:
    """Return a picture as Markdown: its description and stored address, or whichever of these it has."""
    alt = _SPACE.sub(" ", node.attributes.get("alt") or "").strip()[:MAX_ALT_CHARACTERS]
    address = (node.attributes.get("src") or "").strip()
    if not alt:
        return f"![]({address})" if re.fullmatch(PICTURE, address) else ""
    return f"![{_escaped(alt)}]({address})" if _PICTURE.fullmatch(address) else _escaped(alt)


def _item(node: LexborNode, inner: str) -> str:
    """Return a list item with its nested lists indented below it."""
    parent = node.parent
    mark = f"{_number(node)}. " if parent is not None and parent.tag == "ol" else "- "
    lines = _tidy(inner).strip().split("\n")
    rest = [f"{' ' * len(mark)}{line}".rstrip() for line in lines[1:]]
    return "\n".join([f"{mark}{lines[0]}", *rest]) + "\n" if lines[0] else ""


def _number(node: LexborNode) -> int:
    """Return the number that a reader sees before an item: its own, or the previous item's plus one."""
    items = [node]
    while len(items) < MAX_NUMBERED and (before := items[-1].prev) is not None:
        items.append(before)
    count = 0
    for item in (item for item in items if item.tag == "li"):
        if _NUMBER.fullmatch(value := (item.attributes.get("value") or "").strip()):
            return int(value) + count
        count += 1
    start = (node.parent.attributes.get("start") or "").strip() if node.parent is not None else ""
    return count - 1 + (int(start) if _NUMBER.fullmatch(start) else 1)


def _listing(node: LexborNode) -> str:
    code = node.text(deep=True).strip("\n")
    fence = "~~~~" if "```" in code else "```"
    return f"\n\n{fence}\n{code}\n{fence}\n\n" if code.strip() else ""


def _table(node: LexborNode, depth: int, marks: int) -> str:
    # Only the table's own rows and cells: querying all descendants would process nested tables again at every level.
    parts = [part for part in _children(node) if part.tag != "caption"]
    rows = [row for part in parts for row in (_children(part) if part.tag in _ROW_GROUPS else [part])]
    cells = [[cell for cell in _children(row) if cell.tag in ("th", "td")] for row in rows]
    if any(cell.css_first("table") is not None for row in cells for cell in row):  # for layout, not for data
        return "".join(f"\n\n{_inner(cell, depth + 1, marks)}\n\n" for row in cells for cell in row)
    captions = [_inner(part, depth + 1, marks).strip() for part in _children(node) if part.tag == "caption"]
    names, table = headed(spread([[_cell_of(cell, depth, marks) for cell in row] for row in cells]))
    return "\n\n".join(["", *captions, *names, markdown_table(table), ""])


def _cell(node: LexborNode, depth: int, marks: int) -> str:
    return _SPACE.sub(" ", _inner(node, depth + 1, marks)).strip()


def _cell_of(cell: LexborNode, depth: int, marks: int) -> tuple[str, int, int]:
    return _cell(cell, depth, marks), _span(cell, "colspan"), _span(cell, "rowspan")


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return min(int(value), MAX_SPAN) if _NUMBER.fullmatch(value) and int(value) else 1


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
