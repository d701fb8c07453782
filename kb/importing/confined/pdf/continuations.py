"""Joining sentences and tables that continue after the end of a column or page. Pure."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from kb.importing.confined.pdf.tables_or_columns import Cells

SENTENCE_END: Final = re.compile(r"[.!?…:。！？؟][\"'”’»)\]]*$")
_SENTENCE_BREAK: Final = re.compile(r"(?<=[.!?…。！？؟])[\"'”’»)\]]*\s+")
_SOFT_HYPHEN: Final = "\u00ad"
_HYPHENS: Final = ("-", _SOFT_HYPHEN, "‐")
_WORD: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text. Its `kind` is p, ul, ol, table or h1 to h6; a table has `rows`, other blocks have `text`, and a
    numbered item has a `number`.

    `flow` counts the document's columns and pages; `is_small` means that it is set like a footnote. A picture is an
    `img` whose text is its name, with a description. `left`, `right` and `bottom` are in points.
    """

    kind: str
    text: str
    page: int
    number: str = ""
    description: str = ""
    rows: Cells = ()
    flow: int = 0
    is_small: bool = False
    left: float = 0
    right: float = 0
    bottom: float = 0


def joined(lines: Sequence[str], known: Set[str]) -> str:
    """Return lines as one text; words that were split at the end of a line are joined again. `known` contains the
    document's words in lower case: a word that is known only with a hyphen keeps it.
    """
    text = lines[0]
    for line in lines[1:]:
        if not text.endswith(_HYPHENS) or not text[-2:-1].isalpha() or not line[:1].isalnum():
            text = f"{text} {line}"
        elif line[:1].islower() and not _keeps_hyphen(text, line, known):
            text = text[:-1] + line
        else:
            text = f"{text.removesuffix(_SOFT_HYPHEN)}{line}"
    return text


def words_in(text: str) -> Iterator[str]:
    """Yield the words of a line in lower case; hyphenated words stay whole."""
    return (found.group() for found in _WORD.finditer(text.lower().replace("‐", "-")))


def _keeps_hyphen(text: str, line: str, known: Set[str]) -> bool:
    begin, end = text[:-1].split()[-1], line.split()[0]
    whole = next(words_in(f"{begin}-{end}"), "")
    return whole in known and whole.replace("-", "") not in known


def over_breaks(blocks: Sequence[Block], known: Set[str]) -> list[Block]:
    """Return the blocks. A sentence that continues in the next column or page is completed where it begins. The rest of
    a table on the next page gets the table's column names. Footnotes may come in between.
    """
    found: list[Block] = []
    last: int | None = None  # the index of the last block that is not a footnote
    for block in blocks:
        above = found[last] if last is not None else None
        if above is not None and above.flow != block.flow and not block.is_small:
            if _is_cut(above, block) and last is not None:
                found[last], rest = _completed(above, block, known)
                if not rest:
                    continue
                block = replace(block, text=rest)
            elif _goes_on(above, block):
                block = replace(block, rows=(above.rows[0], *block.rows))
        found.append(block)
        if not block.is_small:
            last = len(found) - 1
    return found


def _completed(one: Block, other: Block, known: Set[str]) -> tuple[Block, str]:
    """Return a block completed with the rest of its sentence, and what remains of the other block."""
    end = _SENTENCE_BREAK.search(other.text)
    first, rest = (other.text[: end.start()], other.text[end.end() :]) if end else (other.text, "")
    return replace(one, text=joined([one.text, first], known)), rest


def _is_cut(one: Block, other: Block) -> bool:
    is_text = one.kind in ("p", "ul", "ol") and other.kind == "p" and other.page - one.page in (0, 1)
    return is_text and not SENTENCE_END.search(one.text) and _continues(one.text, other.text)


def _continues(one: str, other: str) -> bool:
    """Return whether the text begins in the middle of a sentence: with a lowercase letter or, after a comma, with
    anything.
    """
    first = other[:1]
    return first.islower() or (not first.isupper() and (first.isdigit() or first.isalpha())) or one.endswith(",")


def _goes_on(one: Block, other: Block) -> bool:
    """Return whether a table continues in the other one, which has no column names of its own."""
    if not one.kind == other.kind == "table" or other.page - one.page != 1 or one.rows[0] == other.rows[0]:
        return False
    names, first = one.rows[0], other.rows[0]
    return len(names) == len(first) and not _has_figures(names) and _has_figures(first)


def _has_figures(row: Sequence[tuple[str, int]]) -> bool:
    return any(sign.isdigit() for text, _ in row for sign in text)
