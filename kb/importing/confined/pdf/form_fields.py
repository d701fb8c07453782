"""Text that was typed into a PDF: values of form fields, and text added to a page. Viewers show both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pypdf import PageObject
from pypdf.generic import BooleanObject, DictionaryObject, StreamObject

from kb.importing.confined.pdf.errors import BROKEN
from kb.importing.confined.pdf.geometry import IDENTITY, Box, Matrix, matrix_of, placed

MAX_FIELDS: Final = 2_000  # fields on a page
MAX_PARENTS: Final = 8
_UNSEEN: Final = 2 | 32  # flags of an annotation: hidden, or not on screen
_SECRET: Final = 1 << 13  # flag of a field: a password
_TYPED: Final = ("/Tx", "/Ch")  # text and choices; buttons have marks from a symbol font


@dataclass(frozen=True, slots=True)
class FormText:
    """Text in its box. `drawing` is its appearance, placed by `matrix`. If a program has stored only the value or an
    empty drawing, `text` is shown instead.
    """

    text: str
    box: Box
    drawing: StreamObject | None = None
    matrix: Matrix = IDENTITY


def typed_on(page: PageObject) -> Iterator[FormText]:
    """Yield the texts that were typed on a page."""
    try:
        annotations = _resolved(page.get("/Annots"))
        form = _form(page)
        stale = _resolved(form.get("/NeedAppearances")) if form is not None else None
    except BROKEN:
        return
    is_stale = isinstance(stale, BooleanObject) and stale.value
    for one in annotations[:MAX_FIELDS] if isinstance(annotations, list) else ():
        try:
            annotation = _resolved(one)
            is_seen = isinstance(annotation, DictionaryObject) and _is_seen(annotation)
            found = _typed(annotation, is_stale=is_stale) if is_seen else None
        except BROKEN:
            continue  # a malformed annotation: viewers skip it
        if found is not None:
            yield found


def resources_of_fields(page: PageObject) -> Any:
    """Return the fonts that the drawings of fields share."""
    form = _form(page)
    return _resolved(form.get("/DR")) if form is not None else None


def _form(page: PageObject) -> DictionaryObject | None:
    root: Any = page.pdf.root_object if page.pdf is not None else None
    form = _resolved(root.get("/AcroForm")) if root is not None else None
    return form if isinstance(form, DictionaryObject) else None


def _is_seen(annotation: DictionaryObject) -> bool:
    if int(_resolved(annotation.get("/F", 0))) & _UNSEEN:
        return False
    if annotation.get("/Subtype") == "/FreeText":
        return True
    is_secret = int(_inherited(annotation, "/Ff") or 0) & _SECRET
    return annotation.get("/Subtype") == "/Widget" and _inherited(annotation, "/FT") in _TYPED and not is_secret


def _typed(annotation: DictionaryObject, *, is_stale: bool) -> FormText | None:
    """Return the text typed into an annotation, without its drawing if the file says that drawings are out of date."""
    x, y, other_x, other_y = (float(value) for value in _resolved(annotation["/Rect"]))
    box = Box(min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y))
    is_field = annotation.get("/Subtype") == "/Widget"
    value = _value(annotation) if is_field else _resolved(annotation.get("/Contents"))
    text = " ".join(value.split()) if isinstance(value, str) else ""
    drawings = _resolved(annotation.get("/AP"))
    drawing = _resolved(drawings.get("/N")) if isinstance(drawings, DictionaryObject) else None
    if isinstance(drawing, StreamObject) and not (is_field and is_stale and text):
        return FormText(text if is_field else "", box, drawing, _into(box, drawing))
    return FormText(text, box) if text else None


def _value(field: DictionaryObject) -> Any:
    """Return a field's value; for a choice, the label shown for the value."""
    value = _inherited(field, "/V")
    options = _inherited(field, "/Opt") if _inherited(field, "/FT") == "/Ch" else None
    for option in map(_resolved, options if isinstance(options, list) else ()):
        if isinstance(option, list) and len(option) > 1 and _resolved(option[0]) == value:
            return _resolved(option[1])
    return value


def _into(box: Box, drawing: StreamObject) -> Matrix:
    """Return the matrix that fits a drawing into its box; it is applied after the drawing's own matrix."""
    own = matrix_of(_resolved(drawing["/Matrix"])) if "/Matrix" in drawing else IDENTITY
    left, bottom, right, top = placed(Box(*(float(value) for value in _resolved(drawing["/BBox"]))), own)
    wide, high = (box.right - box.left) / (right - left), (box.top - box.bottom) / (top - bottom)
    return wide, 0, 0, high, box.left - left * wide, box.bottom - bottom * high


def _inherited(field: DictionaryObject, name: str) -> Any:
    """Return an attribute of a field, or of the group of fields that it is in."""
    at: Any = field
    for _ in range(MAX_PARENTS):
        if not isinstance(at, DictionaryObject):
            return None
        if name in at:
            return _resolved(at[name])
        at = _resolved(at.get("/Parent"))
    return None


def _resolved(value: Any) -> Any:
    return value.get_object() if value is not None and hasattr(value, "get_object") else value
