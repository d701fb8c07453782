"""Form fields of real PDF files: what was typed or chosen is read next to the names of the fields, and a broken field
loses no page.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NullObject,
    NumberObject,
    PdfObject,
    TextStringObject,
)

from supportbot.accounts.models import Workspace
from tests.kb.import_command import body_of, run
from tests.kb.made_files import HELVETICA, Text, pdf

pytestmark = pytest.mark.django_db


def test_text_typed_into_a_form_is_read_next_to_the_field_names(workspace: Workspace, tmp_path: Path) -> None:
    shown = [
        Text(60, 700, "Most we refund"),
        Text(60, 670, "Branch"),
        Text(60, 640, "PIN"),
        Text(60, 610, "Old branch"),
    ]
    fields = [
        Field("415 EUR", 700, drawing="/Tx BMC q BT /Helv 11 Tf 2 5 Td (415 EUR) Tj ET Q EMC"),
        Field("Leith", 670),
        Field("9077", 640, {"/Ff": NumberObject(1 << 13)}),
        Field("Perth", 610, {"/F": NumberObject(2)}),
    ]
    body = body_of(with_fields(pdf(shown), fields), tmp_path)
    assert "| Most we refund | 415 EUR |" in body
    assert "Branch | Leith" in body
    assert "9077" not in body
    assert "Perth" not in body


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("more", "drawing", "filters"),
    [
        ({"/F": NullObject()}, None, ""),
        ({"/F": NameObject("/x")}, None, ""),
        ({}, "BT (unfinished", ""),
        ({"/Ff": TextStringObject("x")}, None, ""),
        ({}, "BT ET", "/Foo"),
        ({}, "BT ET", "/BrotliDecode"),
    ],
)
def test_a_broken_form_field_loses_no_page(
    workspace: Workspace, tmp_path: Path, more: dict[str, PdfObject], drawing: str | None, filters: str
) -> None:
    shown = [Text(60, 700, "The Umber pump is repaired in Leith."), Text(60, 640, "Branch")]
    broken = Field("Perth", 700, more, drawing, filters)
    body = body_of(with_fields(pdf(shown), [broken, Field("Dundee", 640)]), tmp_path)
    assert "The Umber pump is repaired in Leith." in body
    assert "Dundee" in body
    assert run(tmp_path)["items"][0]["notes"] == []


@pytest.mark.parametrize(
    ("drawing", "is_stale", "expected"),
    [
        ("/Tx BMC EMC", False, "Alice"),
        ("/Tx BMC BT /Helv 11 Tf 2 5 Td (  ) Tj ET EMC", False, "Alice"),
        ("BT (unfinished", False, "Alice"),
        ("BT /Helv 11 Tf 2 5 Td (Bob) Tj ET", False, "Bob"),
        ("BT /Helv 11 Tf 2 5 Td (Bob) Tj ET", True, "Alice"),
    ],
)
def test_a_value_is_read_if_its_drawing_is_empty_or_out_of_date(
    workspace: Workspace, tmp_path: Path, drawing: str, is_stale: bool, expected: str
) -> None:
    shown = [Text(60, 700, "Name"), Text(60, 670, "Branch")]
    fields = [Field("Alice", 700, drawing=drawing), Field("Leith", 670)]
    body = body_of(with_fields(pdf(shown), fields, is_stale=is_stale), tmp_path)
    assert f"Name | {expected} |" in body
    assert ("Alice" in body, "Bob" in body) == (expected == "Alice", expected == "Bob")


def test_the_shown_name_of_a_choice_is_read(workspace: Workspace, tmp_path: Path) -> None:
    names = ArrayObject(
        ArrayObject(TextStringObject(text) for text in pair) for pair in (("LE", "Leith"), ("PE", "Perth"))
    )
    choice = Field("PE", 700, {"/FT": NameObject("/Ch"), "/Opt": names})
    body = body_of(with_fields(pdf([Text(60, 700, "Branch"), Text(60, 670, "Name")]), [choice]), tmp_path)
    assert "Perth" in body and "PE" not in body and "Leith" not in body


@dataclass(frozen=True)
class Field:
    """A text field at a height, with further entries; `drawing` has the operators that show it."""

    value: str
    y: float
    more: Mapping[str, PdfObject] = field(default_factory=dict)
    drawing: str | None = None
    filters: str = ""


def with_fields(content: bytes, fields: Sequence[Field], *, is_stale: bool = False) -> bytes:
    """Return a PDF with text fields on its first page."""
    writer = PdfWriter(clone_from=io.BytesIO(content))
    annotations = ArrayObject()
    for one in fields:
        made = DictionaryObject({NameObject("/Subtype"): NameObject("/Widget"), NameObject("/FT"): NameObject("/Tx")})
        made[NameObject("/Rect")] = ArrayObject(FloatObject(at) for at in (200, one.y - 5, 400, one.y + 13))
        made[NameObject("/V")] = TextStringObject(one.value)
        made.update({NameObject(name): value for name, value in one.more.items()})
        if one.drawing is not None:
            drawing = DecodedStreamObject()
            drawing.set_data(one.drawing.encode())
            drawing[NameObject("/BBox")] = ArrayObject(FloatObject(at) for at in (0, 0, 200, 18))
            fonts = DictionaryObject({NameObject("/Helv"): HELVETICA})
            drawing[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            if one.filters:
                drawing[NameObject("/Filter")] = NameObject(one.filters)
            made[NameObject("/AP")] = DictionaryObject({NameObject("/N"): writer._add_object(drawing)})
        annotations.append(writer._add_object(made))
    writer.pages[0][NameObject("/Annots")] = annotations
    form = DictionaryObject({NameObject("/NeedAppearances"): BooleanObject(is_stale)})
    writer.root_object[NameObject("/AcroForm")] = form
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()
