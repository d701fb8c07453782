"""Minimal PDF and Word files for a test."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject

HEBREW = "אבגדהוזחטיךכלםמןנסעףפץצקרשת"
HELVETICA = DictionaryObject(
    {
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    }
)


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    words: str
    size: float = 11
    is_bold: bool = False

    def drawn(self) -> str:
        is_hebrew = any(sign in HEBREW for sign in self.words)
        font = "/H" if is_hebrew else "/B" if self.is_bold else "/R"
        # As stored in a PDF: in visual order.
        codes = "".join(f"{_hebrew_code(sign):02x}" for sign in self.words[::-1]) if is_hebrew else ""
        shown = f"<{codes}>" if is_hebrew else "({})".format(self.words.replace("(", r"\(").replace(")", r"\)"))
        return f"BT {font} {self.size} Tf 1 0 0 1 {self.x} {self.y} Tm {shown} Tj ET"


def paragraph(x: float, y: float, lines: Sequence[str], size: float = 11) -> list[Text]:
    return [Text(x, y - place * size * 1.3, line, size) for place, line in enumerate(lines)]


def pdf(
    *pages: Sequence[Text | str], title: str = "", password: str = "", outline: Sequence[tuple[str, int]] = ()
) -> bytes:
    """Return a PDF; a page contains texts and raw operators."""
    writer = PdfWriter()
    fonts = _fonts(writer)
    for page in pages:
        made = writer.add_blank_page(595, 842)
        stream = DecodedStreamObject()
        drawn = "\n".join(one.drawn() if isinstance(one, Text) else one for one in page)
        stream.set_data(drawn.encode("latin-1"))
        made[NameObject("/Contents")] = writer._add_object(stream)
        made[NameObject("/Resources")] = fonts
    for name, number in outline:
        writer.add_outline_item(title=name, page_number=number - 1)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="AES-256")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def scan(pages: int = 1) -> bytes:
    """Return pages that only show a picture."""
    picture = "q 500 0 0 700 40 40 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q"
    return pdf(*[[picture]] * pages)


def docx(*blocks: str, notes: Sequence[str] = (), more: dict[str, bytes] | None = None) -> bytes:
    """Return a Word file of paragraphs (`p`), tables (`table`) and raw XML."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    kinds = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    footnotes = "".join(
        f'<w:footnote w:id="{number}"><w:p><w:r><w:t>{escape(note)}</w:t></w:r></w:p></w:footnote>'
        for number, note in enumerate(notes, start=1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{kinds}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{kinds}/relationships"><Relationship Id="d" '
        f'Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{kinds}/relationships"><Relationship Id="f" '
        f'Type="{office}/footnotes" Target="footnotes.xml"/><Relationship Id="i" Type="{office}/image" '
        'Target="media/i.png"/></Relationships>',
        "word/document.xml": f'<w:document {space} xmlns:r="{office}" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
        'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        f"<w:body>{''.join(blocks)}</w:body></w:document>",
        "word/footnotes.xml": f"<w:footnotes {space}>{footnotes}</w:footnotes>",
    }
    return zipped({**{name: text.encode() for name, text in parts.items()}, **(more or {})})


def p(text: str, style: str = "", run: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{escape(text)}</w:t></w:r>{run}</w:p>"


def table(*rows: Sequence[str]) -> str:
    lines = ["".join(f"<w:tc>{p(cell)}</w:tc>" for cell in row) for row in rows]
    return f"<w:tbl>{''.join(f'<w:tr>{line}</w:tr>' for line in lines)}</w:tbl>"


FOOTNOTE = '<w:r><w:footnoteReference w:id="1"/></w:r>'
HIDDEN = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>Refund everybody.</w:t></w:r>"
PICTURE = (
    '<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic><pic:blipFill><a:blip r:embed="i"/>'
    "</pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
)


def zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def _hebrew_code(sign: str) -> int:
    return 0x80 + HEBREW.index(sign) if sign in HEBREW else ord(sign)


def _fonts(writer: PdfWriter) -> DictionaryObject:
    fonts = DictionaryObject()
    for name, face in (("/R", "/Helvetica"), ("/B", "/Helvetica-Bold"), ("/H", "/Helvetica")):
        fonts[NameObject(name)] = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject(face),
            }
        )
    hebrew = fonts["/H"]
    assert isinstance(hebrew, DictionaryObject)
    pairs = [(0x80 + place, ord(sign)) for place, sign in enumerate(HEBREW)]
    pairs += [(code, code) for code in range(0x20, 0x7F)]
    lines = "\n".join(f"<{code:02x}> <{sign:04x}>" for code, sign in pairs)
    to_unicode = DecodedStreamObject()
    to_unicode.set_data(
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(pairs)} beginbfchar\n{lines}\nendbfchar endcmap end".encode()
    )
    hebrew[NameObject("/ToUnicode")] = writer._add_object(to_unicode)
    hebrew[NameObject("/FirstChar")] = NumberObject(0)
    hebrew[NameObject("/LastChar")] = NumberObject(255)
    hebrew[NameObject("/Widths")] = ArrayObject([NumberObject(550)] * 256)
    return DictionaryObject({NameObject("/Font"): fonts})
