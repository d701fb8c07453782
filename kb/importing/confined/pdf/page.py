"""One page of a PDF: its text with positions, upright and sideways, and what was typed into its form fields."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pypdf import PageObject
from pypdf.generic import ContentStream, DictionaryObject
from pypdf.generic._font import Font  # pypdf's own text extraction uses it; it has no public name

from kb.importing.confined.pdf.canvas import Canvas, GraphicsState, PageText, RotatedText, Run
from kb.importing.confined.pdf.content_stream import Interpreter
from kb.importing.confined.pdf.errors import BROKEN
from kb.importing.confined.pdf.form_fields import FormText, resources_of_fields, typed_on
from kb.importing.confined.pdf.framed_text import FramedText
from kb.importing.confined.pdf.geometry import Box, Matrix, placed, times, turned
from kb.importing.confined.pdf.sideways import names_of_columns, table_in

FIELD_SIZE: Final = 0.6  # font size as a share of a field's height, for values stored without a drawing
LARGEST_FIELD_POINTS: Final = 12
MIN_SIDEWAYS: Final = 6  # fewer letters in one direction are not worth reading
SIDEWAYS_CPU_SECONDS: Final = 40  # after this, sideways text is left out, since a page is read again for each direction


@dataclass(frozen=True, slots=True)
class _Content:
    """A page's instructions, parsed once, and the fonts they use; reused each time the page is drawn."""

    stream: ContentStream | None
    fonts: dict[str, tuple[Font, bool] | None]


def text_of(page: PageObject, number: int) -> PageText:
    """Return the text of a page with its positions; raises what pypdf raises for a broken page."""
    degrees = page.rotation % 360
    contents = page.get("/Contents")
    stream = contents.get_object() if contents is not None else None
    content = _Content(None if stream is None else ContentStream(stream, page.pdf, "bytes"), {})
    canvas = _drawn(page, content, degrees)
    if direction := canvas.direction():
        degrees = (page.rotation + direction) % 360
        canvas = _drawn(page, content, degrees)
    sideways = tuple(_read_sideways(page, content, degrees, canvas, number))
    return PageText(
        number=number,
        bottom=canvas.page[1],
        top=canvas.page[3],
        runs=canvas.runs,
        hidden=canvas.hidden,
        rotated=_in_words([text for _, text in canvas.rotated]),
        pictures=canvas.pictures,
        drawings=canvas.drawings,
        area=(canvas.page[2] - canvas.page[0]) * (canvas.page[3] - canvas.page[1]),
        bars=sorted(canvas.bars),
        uprights=sorted(canvas.uprights),
        sideways=sideways,
    )


def _read_sideways(
    page: PageObject, content: _Content, degrees: int, canvas: Canvas, number: int
) -> Iterator[FramedText]:
    """Yield sideways text with tables. Sideways column names are added to `canvas`; other sideways text is left out."""
    for quarter in (90, 270):
        is_mark = canvas.letters[quarter] < MIN_SIDEWAYS or not canvas.has_lines(quarter)
        if is_mark or time.process_time() > SIDEWAYS_CPU_SECONDS:
            continue
        turned_page = _drawn(page, content, (degrees + quarter) % 360)
        bars, uprights = sorted(turned_page.bars), sorted(turned_page.uprights)
        text = RotatedText(turned_page.runs, bars, uprights, turned(360 - quarter))
        names = names_of_columns(text, number, canvas.runs)
        canvas.runs += names
        table = None if names else table_in(text, number)
        if table is not None:
            yield table
        if names or table is not None:
            canvas.rotated = [one for one in canvas.rotated if one[0] != quarter]


def _drawn(page: PageObject, content: _Content, degrees: int) -> Canvas:
    """Return what a page shows if it is turned clockwise by `degrees`."""
    box = page.mediabox
    turns = turned(degrees)
    canvas = Canvas(placed(Box(float(box.left), float(box.bottom), float(box.right), float(box.top)), turns))
    if content.stream is not None:
        resources = page.get("/Resources", DictionaryObject()).get_object()
        Interpreter(canvas, page.pdf, resources, fonts=content.fonts).run(content.stream, GraphicsState(turns))
    for typed in typed_on(page):
        _show_typed(canvas, page, typed, turns)
    return canvas


def _show_typed(canvas: Canvas, page: PageObject, typed: FormText, turns: Matrix) -> None:
    """Show a filled-in field's drawing, or its text if the drawing is broken or shows none."""
    before = canvas.pieces
    if typed.drawing is not None:
        with suppress(*BROKEN):
            state = GraphicsState(times(typed.matrix, turns))
            Interpreter(canvas, page.pdf, resources_of_fields(page)).draw_form(typed.drawing, state)
    if canvas.pieces > before or not typed.text:
        return
    left, bottom, right, top = placed(typed.box, turns)
    size = min(FIELD_SIZE * (top - bottom), LARGEST_FIELD_POINTS)
    y = (top + bottom) / 2 - size / 3  # letters reach a third of their size above the middle and below it
    canvas.show(Run(typed.text, left, right, y, size, is_bold=False), GraphicsState(turns))


def _in_words(pieces: Sequence[str]) -> str:
    """Return pieces of text as words; if each piece is a single letter, the letters are joined."""
    are_letters = all(len(piece.strip()) < 2 for piece in pieces)
    return " ".join(("" if are_letters else " ").join(pieces).split())
