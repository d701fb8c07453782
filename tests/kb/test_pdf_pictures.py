"""Pictures of PDF files are shown in their places, without decorations, and never at the expense of the text."""

import io
import re
from pathlib import Path
from typing import IO, Any

import pytest
from django.test import Client
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    NameObject,
    NullObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from kb.importing import confinement
from kb.models import Article, Picture
from supportbot.accounts.models import Workspace
from tests.kb.import_command import run
from tests.kb.made_files import Text, paragraph, pdf
from tests.kb.made_pictures import encoded, photo, two_halves

pytestmark = pytest.mark.django_db
SHOWN = re.compile(r"!\[\]\((/help/wrenfell/pictures/[0-9a-f]{40}\.(?:png|webp))\)")


def jpeg(image: Image.Image, **facts: Any) -> StreamObject:
    space = {"RGB": "/DeviceRGB", "L": "/DeviceGray", "CMYK": "/DeviceCMYK"}[image.mode]
    return _image(image, encoded(image, "JPEG"), space, Filter=NameObject("/DCTDecode"), **facts)


def flat(image: Image.Image, **facts: Any) -> StreamObject:
    return _image(image, image.tobytes(), "/DeviceRGB", **facts)


def _image(image: Image.Image, data: bytes, space: str, **facts: Any) -> StreamObject:
    stream = StreamObject()
    stream._data = data
    about = {"Subtype": "/Image", "Width": image.width, "Height": image.height, "ColorSpace": space}
    for name, value in {"Type": "/XObject", **about, "BitsPerComponent": 8, **facts}.items():
        stream[NameObject(f"/{name}")] = NumberObject(value) if isinstance(value, int) else NameObject(value)
    return stream


def with_pictures(plain: bytes, named: dict[str, StreamObject]) -> bytes:
    """Return a PDF whose pages can draw the named pictures."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(plain)))
    drawn = DictionaryObject({NameObject(f"/{name}"): writer._add_object(one) for name, one in named.items()})
    for page in writer.pages:
        page["/Resources"].get_object()[NameObject("/XObject")] = drawn  # type: ignore[index]  # a dictionary
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def put(name: str, left: float, bottom: float, width: float, height: float) -> str:
    return f"q {width} 0 0 {height} {left} {bottom} cm /{name} Do Q"


def body_of(name: str) -> str:
    revision = Article.objects.get(external_id=name).live_revision
    assert revision is not None
    return revision.body


ABOVE, BELOW = ["Open the lid with both hands.", "It is heavy."], ["Close the lid again.", "Wait a minute."]


def test_pictures_are_shown_on_their_page_between_the_texts(
    workspace: Workspace, client: Client, tmp_path: Path
) -> None:
    first = [*paragraph(60, 780, ABOVE), put("Lid", 60, 500, 300, 200), *paragraph(60, 460, BELOW)]
    second = [Text(60, 780, "Turn the knob slowly to the left."), put("Knob", 60, 400, 300, 200)]
    pictures = {"Lid": jpeg(photo(600, 400)), "Knob": flat(two_halves(120, 80))}
    (tmp_path / "a.pdf").write_bytes(with_pictures(pdf(first, second), pictures))
    report = run(tmp_path)
    assert [item["notes"] for item in report["items"]] == [[]]
    body = body_of("a.pdf")
    addresses = SHOWN.findall(body)
    places = [body.index(text) for text in ("heavy", addresses[0], "Close the lid", "page=2", "Turn", addresses[1])]
    assert places == sorted(places)
    assert {client.get(address)["Content-Type"] for address in addresses} == {"image/webp", "image/png"}
    assert run(tmp_path)["unchanged"] == 1 and Picture.objects.count() == 2


def test_a_picture_stays_in_its_column(workspace: Workspace, tmp_path: Path) -> None:
    left = paragraph(60, 780, [f"Left column, line {number} of the text that is here." for number in range(24)], 9)
    right = paragraph(330, 780, [f"Right column, line {number} of the text too." for number in range(8)], 9)
    more = paragraph(330, 480, [f"Below the picture, line {number} of the text." for number in range(8)], 9)
    drawn = with_pictures(pdf([*left, *right, put("P", 330, 500, 200, 150), *more]), {"P": jpeg(photo(300, 200))})
    (tmp_path / "a.pdf").write_bytes(drawn)
    run(tmp_path)
    body = body_of("a.pdf")
    [address] = SHOWN.findall(body)
    assert body.index("Left column, line 23") < body.index("line 7 of the text too") < body.index(address)
    assert body.index(address) < body.index("Below the picture, line 0")


def test_decorations_logos_and_backgrounds_are_left_out(workspace: Workspace, tmp_path: Path) -> None:
    pictures = {
        "Logo": jpeg(two_halves(200, 100)),
        "Icon": jpeg(two_halves(64, 64)),
        "Dots": jpeg(two_halves(8, 8)),
        "Back": jpeg(photo(300, 400)),
        "Own": jpeg(photo(301, 200)),
    }
    page = [put("Back", 0, 0, 595, 842), put("Logo", 400, 760, 150, 60), put("Icon", 40, 700, 20, 20)]
    page.append(put("Dots", 40, 300, 100, 100))
    pages = [[*page, Text(60, 700 - number, f"The text of page {number}.")] for number in range(3)]
    pages[1].append(put("Own", 60, 400, 300, 200))
    (tmp_path / "a.pdf").write_bytes(with_pictures(pdf(*pages), pictures))
    run(tmp_path)
    assert len(SHOWN.findall(body_of("a.pdf"))) == 1
    assert Picture.objects.get().width == 301


def tagged(plain: bytes, told: list[tuple[str, Any]]) -> bytes:
    """Return a PDF whose structure tree describes marks of its first page: figures with a description and content."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(plain)))
    page = writer.pages[0].indirect_reference

    def element(kind: str, **facts: Any) -> Any:
        named = {NameObject(f"/{name}"): value for name, value in facts.items()}
        return writer._add_object(DictionaryObject({NameObject("/S"): NameObject(f"/{kind}"), **named}))

    figures = ArrayObject()
    for words, content in told:
        figures.append(element("Figure", Alt=TextStringObject(words), Pg=page, K=content))
    document = element("Document", K=figures)
    figures.append(document)  # a circular reference
    figures.append(element("Figure", Alt=TextStringObject("Of no page"), K=NumberObject(0)))
    figures.append(element("Figure", Alt=NumberObject(7), K=NullObject()))
    writer._root_object[NameObject("/StructTreeRoot")] = element("StructTreeRoot", K=ArrayObject([document]))
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def test_descriptions_of_pictures_are_imported_too(workspace: Workspace, tmp_path: Path) -> None:
    def marked(properties: str, name: str, bottom: int) -> str:
        return f"/Figure <<{properties}>> BDC {put(name, 60, bottom, 150, 100)} EMC"

    page = [Text(60, 800, "Open the lid."), marked("/MCID 0", "A", 650), marked("/MCID 1", "B", 500)]
    page += [marked("/Alt (At the mark)", "C", 350), marked("/MCID 9", "D", 200)]
    names = {name: jpeg(photo(300 + place, 200)) for place, name in enumerate("ABCD")}
    mark = DictionaryObject({NameObject("/Type"): NameObject("/MCR"), NameObject("/MCID"): NumberObject(1)})
    told = [('The "lid" [open]\nfrom above', NumberObject(0)), ("The knob", ArrayObject([mark]))]
    (tmp_path / "a.pdf").write_bytes(tagged(with_pictures(pdf(page), names), told))
    run(tmp_path)
    body = body_of("a.pdf")
    found = re.findall(r"!\[((?:[^\]\\]|\\.)*)\]\(/help", body)
    assert found == ['The "lid" \\[open\\] from above', "The knob", "At the mark", ""], body


def test_a_broken_picture_is_left_out_and_reported(workspace: Workspace, tmp_path: Path) -> None:
    torn = jpeg(photo(600, 400))
    torn._data = torn._data[:300]
    huge = flat(two_halves(40, 40), Width=60_000, Height=60_000)
    page = [Text(60, 780, "Fine words."), put("Torn", 60, 500, 200, 200), put("Huge", 300, 500, 200, 200)]
    page += [put("Good", 60, 200, 200, 200), put("None", 300, 200, 200, 200)]
    other = flat(two_halves(90, 90), Filter=NameObject("/JPXDecode"))  # needs a separate decoder
    false = jpeg(photo(90, 91))
    false._data = encoded(photo(90, 91), "TIFF")
    page += [put("Other", 300, 20, 90, 90), put("False", 400, 20, 90, 90)]
    drawn = {"Torn": torn, "Huge": huge, "Good": jpeg(photo(90, 90)), "Other": other, "False": false}
    (tmp_path / "a.pdf").write_bytes(with_pictures(pdf(page), drawn))
    report = run(tmp_path)
    assert [item["notes"] for item in report["items"]] == [
        ["Pictures left out (unsupported format, damaged or too large): 4."]
    ]
    assert "Fine words." in body_of("a.pdf") and len(SHOWN.findall(body_of("a.pdf"))) == 1


@pytest.mark.parametrize("end", [-11, "memory"])
def test_a_picture_that_crashes_the_reader_is_left_out_and_the_text_is_read(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int | str
) -> None:
    page = [Text(60, 780, "Fine words."), put("P", 60, 500, 200, 200)]
    (tmp_path / "a.pdf").write_bytes(with_pictures(pdf(page), {"P": jpeg(photo(90, 90))}))
    real = confinement._run

    def fail_with_pictures(kind: confinement.Kind, source: IO[bytes], output: IO[bytes]) -> int:
        if kind != "pdf":
            return real(kind, source, output)
        if isinstance(end, int):
            return end
        output.write(b'{"error": "memory"}\n')
        return 0

    monkeypatch.setattr(confinement, "_run", fail_with_pictures)
    report = run(tmp_path)
    assert [item["notes"] for item in report["items"]] == [
        ["Pictures left out (unsupported format, damaged or too large): 1."]
    ]
    assert "Fine words." in body_of("a.pdf") and not Picture.objects.exists()
