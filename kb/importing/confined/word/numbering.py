"""The numbers that Word puts before headings ("1.2 Title"). A file's text does not contain them; they follow from the
file's lists and from the numbered paragraphs before each heading. Pure.

The following are ignored: levels that a list redefines, lists that only refer to a style, and restarts at any level
other than the next higher one.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
# The names of heading styles, as in mammoth's own style map.
_HEADING: Final = re.compile(r"heading ?[1-6]?", re.IGNORECASE)
_MOST_LEVELS: Final = 9
_OFF: Final = ("0", "false", "off")
_MOST_CHARACTERS: Final = 60  # characters of a number, since a level's pattern may be any text
_ROMAN: Final = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_SMALL_ROMAN: Final = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    kind: str
    pattern: str  # such as "%1.%2"
    is_decimal: bool  # all numbers in its pattern are decimal, whatever their own kinds
    gap: str


@dataclass(slots=True)
class _List:
    levels: dict[int, _Level]
    of_styles: dict[str, int]  # the level of a style
    counts: dict[int, int] = field(default_factory=dict)

    def next(self, level: int) -> str:
        """Count a paragraph of this level; return its number, followed by the gap."""
        here = self.levels.get(level)
        if here is None:
            return ""
        for upper in range(level):
            if upper in self.levels:
                self.counts.setdefault(upper, self.levels[upper].start)
        self.counts[level] = self.counts.get(level, here.start - 1) + 1
        self.counts = {one: count for one, count in self.counts.items() if one <= level}
        if here.kind == "bullet":
            return ""
        label = re.sub("%([1-9])", lambda found: self._part(int(found[1]) - 1, here), here.pattern).strip()
        return f"{label}{here.gap}" if 0 < len(label) <= _MOST_CHARACTERS else ""

    def _part(self, level: int, here: _Level) -> str:
        kind = self.levels[level].kind if level in self.levels else "none"
        return _written(self.counts.get(level, 0), "decimal" if here.is_decimal else kind)


@dataclass(frozen=True, slots=True)
class _Style:
    is_heading: bool
    list_id: str | None
    level: int | None


def with_numbers(document: bytes, numbering: bytes, styles: bytes) -> bytes:
    """Return the main part with the numbers of its headings as text."""
    known, lists = _styles(ElementTree.fromstring(styles)), _lists(ElementTree.fromstring(numbering))
    root = ElementTree.fromstring(document)
    for paragraph in root.iter(f"{W}p"):
        style_id = _value(paragraph, "pPr/pStyle") or ""
        style = known.get(style_id, _Style(bool(_HEADING.fullmatch(style_id)), None, None))
        found = lists.get(_value(paragraph, "pPr/numPr/numId") or style.list_id or "")
        if found is None:
            continue
        label = found.next(_level(paragraph, style, found.of_styles.get(style_id, 0)))
        if label and style.is_heading and any(text.text for text in paragraph.iter(f"{W}t")):
            _put_before(paragraph, label)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _level(paragraph: Element, style: _Style, of_style: int) -> int:
    own = _number(_value(paragraph, "pPr/numPr/ilvl"), -1)
    level = own if own >= 0 else style.level if style.level is not None else of_style
    return min(max(level, 0), _MOST_LEVELS - 1)


def _put_before(paragraph: Element, label: str) -> None:
    run = Element(f"{W}r")
    text = ElementTree.SubElement(run, f"{W}t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
    text.text = label
    has_properties = len(paragraph) > 0 and paragraph[0].tag == f"{W}pPr"
    paragraph.insert(int(has_properties), run)


def _styles(root: Element) -> dict[str, _Style]:
    """Return the paragraph styles by their ids, with the properties of the styles that they are based on."""
    rows = {style.get(f"{W}styleId", ""): style for style in root.iter(f"{W}style")}
    return {style_id: _style(style_id, rows) for style_id in rows}


def _style(style_id: str, rows: Mapping[str, Element]) -> _Style:
    name = _value(rows[style_id], "name") or ""
    is_heading = any(_HEADING.fullmatch(one) for one in (style_id, name))
    for row in _based_on(style_id, rows):
        list_id, level = _value(row, "pPr/numPr/numId"), _value(row, "pPr/numPr/ilvl")
        if list_id is not None:
            return _Style(is_heading, list_id, None if level is None else _number(level, 0))
    return _Style(is_heading, None, None)


def _based_on(style_id: str, rows: Mapping[str, Element]) -> Iterator[Element]:
    seen = set[str]()
    while style_id in rows and style_id not in seen:
        seen.add(style_id)
        yield rows[style_id]
        style_id = _value(rows[style_id], "basedOn") or ""


def _lists(root: Element) -> dict[str, _List]:
    """Return the lists by the ids that paragraphs use; ids of one list share its counts, unless they restart."""
    patterns = {row.get(f"{W}abstractNumId", ""): row for row in root.iter(f"{W}abstractNum")}
    shared = {name: _List(*_levels(row, {})) for name, row in patterns.items()}
    found: dict[str, _List] = {}
    for row in root.iter(f"{W}num"):
        name = _value(row, "abstractNumId") or ""
        if name not in patterns:
            continue
        restarts = {
            _number(one.get(f"{W}ilvl"), 0): _value(one, "startOverride") for one in row.iter(f"{W}lvlOverride")
        }
        starts = {level: _number(start, 1) for level, start in restarts.items() if start is not None}
        own = _List(*_levels(patterns[name], starts)) if starts else shared[name]
        found[row.get(f"{W}numId", "")] = own
    return found


def _levels(row: Element, starts: Mapping[int, int]) -> tuple[dict[int, _Level], dict[str, int]]:
    levels, of_styles = dict[int, _Level](), dict[str, int]()
    for level in row.iter(f"{W}lvl"):
        place = _number(level.get(f"{W}ilvl"), 0)
        start = starts.get(place, _number(_value(level, "start"), 0))
        kind, pattern = _value(level, "numFmt") or "decimal", _value(level, "lvlText") or ""
        gap = "" if _value(level, "suff") == "nothing" else " "
        legal = level.find(f"{W}isLgl")  # "legal" numbers
        is_decimal = legal is not None and legal.get(f"{W}val", "1").lower() not in _OFF
        levels[place] = _Level(start, kind, pattern, is_decimal, gap)
        if style := _value(level, "pStyle"):
            of_styles[style] = place
    return levels, of_styles


def _value(element: Element, path: str) -> str | None:
    found = element.find("/".join(f"{W}{name}" for name in path.split("/")))
    return None if found is None else found.get(f"{W}val")


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else otherwise


def _written(count: int, kind: str) -> str:
    match kind:
        case "none":
            return ""
        case "decimalZero":
            return f"{count:02}"
        case "upperRoman":
            return _roman(count).upper()
        case "lowerRoman":
            return _roman(count)
        case "upperLetter":
            return _letters(count).upper()
        case "lowerLetter":
            return _letters(count)
        case _:
            return str(count)


def _roman(count: int) -> str:
    written = ""
    for value, sign in (*_ROMAN, *_SMALL_ROMAN):
        written += sign * (count // value)
        count %= value
    return written


def _letters(count: int) -> str:
    """Return a to z, then aa to zz, and so on, as Word does."""
    return chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1) if count > 0 else ""
