"""Splits a passage into pieces that can be quoted as a whole: paragraphs, lists, tables, code. Pure.

Markup is removed, but the words and their order are kept, so each quoted line can be found in the article.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from supportbot.language.blocks import Block, Kind, blocks_of_passage, names_of_columns
from supportbot.language.lines import Line, lines_of, names_its_columns, row_as_text
from supportbot.llm.types import Source
from supportbot.translation import msgid, text_in

# This is not among the answerer's phrases, because then any text with a colon would count as its own.
_LABELLED: Final = msgid("{label}: {value}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit of text that belongs together. `position` is its index in the passage; `lead` is the sentence that
    introduces it.
    """

    kind: Kind
    lines: tuple[Line, ...]
    heading: str
    source: Source
    position: int
    lead: str = ""
    columns: str = ""  # the names of a table's columns as a sentence

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def labelled_in(locale: str) -> str:
    """Return the pattern for a label and its value in a language, with the placeholders `{label}` and `{value}`."""
    return text_in(locale, _LABELLED)


def pieces_of(source: Source) -> list[Piece]:
    """Return the quotable pieces of a passage in reading order, without headings."""
    found: list[Piece] = []
    labelled = labelled_in(source.locale)
    for block, heading, lines in _blocks(blocks_of_passage(source.text, source.heading), source.heading, labelled):
        kind = block.kind
        last = found[-1] if found else None
        follows = last is not None and last.kind is Kind.PARAGRAPH and kind is not Kind.PARAGRAPH
        lead = last.lines[-1].text if last is not None and follows and last.heading == heading else ""
        # If a table began in an earlier passage, its column names are in the heading.
        is_heading = block.header is not None and heading == names_of_columns(block)
        names_columns = names_its_columns(block)
        columns = "" if block.header is None or is_heading or names_columns else row_as_text(block.header, labelled)
        heading = "" if is_heading and names_columns else heading
        lead = lead if lead.endswith(":") else ""
        found.append(Piece(kind, tuple(lines), heading, source, len(found), lead, columns))
    return found


def _blocks(found: Sequence[Block], above: str, labelled: str) -> Iterator[tuple[Block, str, list[Line]]]:
    for block in found:
        heading = block.heading_path[-1] if block.heading_path else above
        if block.kind is Kind.QUOTE:
            yield from _blocks(block.blocks, heading, labelled)
        elif block.kind is not Kind.HEADING and (lines := list(lines_of(block, labelled))):
            yield block, heading, lines
