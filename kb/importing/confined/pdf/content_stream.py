"""An interpreter for a PDF's content stream, whose operators draw text and pictures. pypdf reads the content stream and
the fonts; the positions are computed here, since pypdf's own text extraction loses them, and with them columns and
tables.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from pypdf.generic import ArrayObject, ContentStream, DictionaryObject, NameObject, StreamObject
from pypdf.generic._font import Font  # pypdf's own text extraction uses it; it has no public name

from kb.importing.confined.pdf.canvas import MAX_BOXES, Canvas, Drawing, GraphicsState, Run
from kb.importing.confined.pdf.geometry import (
    IDENTITY,
    UNIT_SQUARE,
    Box,
    Matrix,
    matrix_of,
    placed,
    point_at,
    times,
)
from kb.importing.confined.pdf.picture_descriptions import description_in
from kb.importing.confined.pdf.right_to_left import as_seen

MAX_FORM_DEPTH: Final = 8
MAX_DRAWINGS: Final = 500
MOST_TILT: Final = 15  # degrees; scanned pages are slightly askew, watermarks are drawn across the page
_PAINTS: Final = (b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*")
_ENDS_PATH: Final = (*_PAINTS, b"n", b"S", b"s")
_COLOURS: Final = (b"g", b"rg", b"k", b"sc", b"scn")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Marked content: its number on the page, and its description."""

    number: int | None = None
    description: str = ""


class Interpreter:
    """An interpreter for one content stream: it runs the operators that concern text, colour and position."""

    def __init__(
        self,
        canvas: Canvas,
        pdf: Any,
        resources: Any,
        depth: int = 0,
        marks: Sequence[_Mark] = (),
        fonts: dict[str, tuple[Font, bool] | None] | None = None,
    ) -> None:
        self._canvas, self._pdf, self._depth = canvas, pdf, depth
        self._marks = list(marks)
        self._resources = resources if isinstance(resources, DictionaryObject) else DictionaryObject()
        self._fonts = {} if fonts is None else fonts
        self._tm: Matrix = IDENTITY
        self._line: Matrix = IDENTITY
        self._path: list[Box] = []

    def run(self, stream: ContentStream, state: GraphicsState) -> None:
        self._state = state
        kept: list[GraphicsState] = []
        for operands, operator in stream.operations:
            if operator == b"q":
                kept.append(replace(self._state))
            elif operator == b"Q":
                self._state = kept.pop() if kept else self._state
            else:
                try:
                    self._do(operator, operands)
                except (TypeError, ValueError, IndexError, OverflowError):
                    continue  # a malformed operator: viewers skip it

    def _do(self, operator: bytes, operands: Sequence[Any]) -> None:
        state = self._state
        match operator:
            case b"cm":
                state.ctm = times(matrix_of(operands), state.ctm)
            case b"BT":
                self._tm = self._line = IDENTITY
            case b"Tf":
                state.size = float(operands[1])
                state.font, state.is_bold = self._font(str(operands[0])) or (None, False)
            case b"Tm":
                self._tm = self._line = matrix_of(operands)
            case b"Td" | b"TD":
                if operator == b"TD":
                    state.leading = -float(operands[1])
                self._move(float(operands[0]), float(operands[1]))
            case b"T*":
                self._move(0, -state.leading)
            case b"Tc" | b"Tw" | b"Tz" | b"TL" | b"Ts" | b"Tr":
                self._set_text_state(operator, float(operands[0]))
            case b"Tj":
                self._show(operands[0])
            case b"'":
                self._show_next_line(operands[0])
            case b'"':
                state.word_space, state.character_space = float(operands[0]), float(operands[1])
                self._show_next_line(operands[2])
            case b"TJ":
                self._show_parts(operands[0])
            case b"Do":
                self._draw(str(operands[0]))
            case b"BDC" | b"BMC":
                self._marks.append(self._mark(operands))
            case b"EMC":
                del self._marks[-1:]
            case _:
                self._paint(operator, operands)

    def _set_text_state(self, operator: bytes, value: float) -> None:
        state = self._state
        match operator:
            case b"Tc":
                state.character_space = value
            case b"Tw":
                state.word_space = value
            case b"Tz":
                state.scale = value / 100
            case b"TL":
                state.leading = value
            case b"Ts":
                state.rise = value
            case _:
                state.mode = int(value)

    def _show_next_line(self, text: Any) -> None:
        self._move(0, -self._state.leading)
        self._show(text)

    def _show_parts(self, parts: Sequence[Any]) -> None:
        """Show the strings of a TJ; the numbers between them shift the position by thousandths of the font size."""
        state = self._state
        for part in parts:
            if isinstance(part, (bytes, str)):
                self._show(part)
            else:
                self._advance(-float(part) / 1000 * state.size * state.scale)

    def _paint(self, operator: bytes, operands: Sequence[Any]) -> None:
        state = self._state
        if operator in _COLOURS:
            numbers = [float(value) for value in operands if isinstance(value, (int, float))]
            empty = 0.0 if operator == b"k" or len(numbers) == 4 else 1.0
            state.is_white = bool(numbers) and all(abs(value - empty) < 0.02 for value in numbers)
        elif operator == b"re":
            x, y, width, height = (float(value) for value in operands)
            self._path.append(placed(Box(x, y, x + width, y + height), state.ctm))
        elif operator in (b"m", b"l"):
            x, y = point_at(state.ctm, float(operands[0]), float(operands[1]))
            if operator == b"l" and self._path:
                left, bottom, right, top = self._path[-1]
                self._path[-1] = Box(min(left, x), min(bottom, y), max(right, x), max(top, y))
            else:
                self._path.append(Box(x, y, x, y))
        elif operator == b"INLINE IMAGE":
            self._image()
        elif operator in _ENDS_PATH:
            if operator in _PAINTS and not state.is_white:
                self._canvas.dark = [*self._canvas.dark, *self._path][-MAX_BOXES:]
            if operator != b"n":
                self._canvas.rule(self._path)
            self._path = []

    def _image(self) -> None:
        self._canvas.pictures += 1
        self._canvas.images = [*self._canvas.images, placed(UNIT_SQUARE, self._state.ctm)][-MAX_BOXES:]

    def _draw(self, name: str) -> None:
        objects = self._resources.get("/XObject", DictionaryObject()).get_object()
        found = objects.get(name)
        drawn = found.get_object() if found is not None else None
        if not isinstance(drawn, StreamObject):
            return
        if drawn.get("/Subtype") == "/Image":
            self._image()
            if len(self._canvas.drawings) < MAX_DRAWINGS:
                self._canvas.drawings.append(self._drawing(drawn))
        elif drawn.get("/Subtype") == "/Form" and self._depth < MAX_FORM_DEPTH:
            self.draw_form(drawn, self._state)

    def draw_form(self, drawn: StreamObject, state: GraphicsState) -> None:
        matrix = matrix_of(cast("ArrayObject", drawn["/Matrix"])) if "/Matrix" in drawn else IDENTITY
        inner = replace(state, ctm=times(matrix, state.ctm))
        resources = drawn.get("/Resources", self._resources).get_object()
        interpreter = Interpreter(self._canvas, self._pdf, resources, self._depth + 1, self._marks)
        interpreter.run(ContentStream(drawn, self._pdf, "bytes"), inner)

    def _drawing(self, stream: StreamObject) -> Drawing:
        own = next((mark.description for mark in reversed(self._marks) if mark.description), "")
        number = next((mark.number for mark in reversed(self._marks) if mark.number is not None), None)
        return Drawing(placed(UNIT_SQUARE, self._state.ctm), stream, own, number)

    def _mark(self, operands: Sequence[Any]) -> _Mark:
        """Return the number and description of marked content; inside a form XObject, the numbers do not belong to the
        page.
        """
        properties = operands[1] if len(operands) > 1 else None
        if isinstance(properties, NameObject):
            named = self._resources.get("/Properties", DictionaryObject()).get_object()
            properties = named.get(properties, DictionaryObject()).get_object()
        if not isinstance(properties, DictionaryObject):
            return _Mark()
        number = properties.get("/MCID") if self._depth == 0 else None
        return _Mark(int(number) if isinstance(number, int) else None, description_in(properties))

    def _font(self, name: str) -> tuple[Font, bool] | None:
        if name not in self._fonts:
            fonts = self._resources.get("/Font", DictionaryObject()).get_object()
            found = fonts.get(name)
            described = found.get_object() if found is not None else None
            if isinstance(described, DictionaryObject):
                face = str(described.get("/BaseFont", "")).lower()
                is_bold = any(word in face for word in ("bold", "black", "heavy", "-semib"))
                self._fonts[name] = Font.from_font_resource(described), is_bold
            else:
                self._fonts[name] = None
        return self._fonts[name]

    def _move(self, x: float, y: float) -> None:
        self._tm = self._line = times((1, 0, 0, 1, x, y), self._line)

    def _advance(self, distance: float) -> None:
        self._tm = times((1, 0, 0, 1, distance, 0), self._tm)

    def _show(self, raw: bytes | str) -> None:
        state = self._state
        if state.font is None:
            return
        begin = times((1, 0, 0, 1, 0, state.rise), times(self._tm, state.ctm))
        text, width = _decoded(state.font, raw, state)
        self._advance(width)
        end = times(self._tm, state.ctm)
        size = state.size * math.hypot(begin[2], begin[3])
        degrees = math.degrees(math.atan2(begin[1], begin[0]))
        quarter = round(degrees / 90) * 90
        clean = "".join(sign for sign in text if sign >= " " and not "\ud800" <= sign <= "\udfff")
        self._canvas.pieces += bool(clean.strip())
        is_straight = abs(degrees - quarter) <= MOST_TILT
        if is_straight:
            self._canvas.letters[quarter % 360] += len(text)
            self._canvas.baselines[quarter % 360].add(round(begin[4] if quarter % 180 else begin[5]))
        if not is_straight or quarter:  # a watermark, or a printer's mark along an edge
            self._canvas.rotated.append((quarter % 360 if is_straight else None, clean))
        else:
            self._canvas.show(Run(clean, begin[4], max(end[4], begin[4]), begin[5], abs(size), state.is_bold), state)


def _decoded(font: Font, raw: bytes | str, state: GraphicsState) -> tuple[str, float]:
    """Return the text of a string, and its width before the text matrix is applied."""
    codes = _codes(font, raw)
    text = "".join(as_seen(font.character_map.get(shown, shown)) for shown in _shown(font, raw, codes))
    width = sum(font.space_width if code == font.space_char else font.get_text_width(code) for code in codes) / 1000
    spaces = codes.count(font.space_char) if font.space_char else 0
    return text, (width * state.size + len(codes) * state.character_space + spaces * state.word_space) * state.scale


def _codes(font: Font, raw: bytes | str) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(font.encoding, str):
        try:
            return raw.decode(font.encoding, "surrogatepass")
        except UnicodeDecodeError:
            return raw.decode(font.encoding, "replace")
    return "".join(map(chr, raw))


def _shown(font: Font, raw: bytes | str, codes: str) -> Iterator[str]:
    if isinstance(raw, bytes) and isinstance(font.encoding, dict):
        return (font.encoding.get(byte, chr(byte)) for byte in raw)
    return iter(codes)
