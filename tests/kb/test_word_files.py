"""Word files: text inside Word's own elements is read, and hidden text stays hidden."""

import io
from pathlib import Path
from zipfile import ZipFile

import pytest

from kb.models import Article
from supportbot.accounts.models import Workspace
from tests.kb.import_command import run
from tests.kb.made_files import HIDDEN, docx, p, zipped

pytestmark = pytest.mark.django_db

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMES = (
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)


def imported(content: bytes, folder: Path) -> tuple[str, list[str]]:
    (folder / "file.docx").write_bytes(content)
    [item] = run(folder / "file.docx")["items"]
    assert item["outcome"] != "failed"
    revision = Article.objects.get(external_id="file.docx").live_revision
    assert revision is not None
    return revision.body, item["notes"]


def of_text(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def box(text: str) -> str:
    shape = f"<wps:wsp><wps:txbx><w:txbxContent>{p(text)}</w:txbxContent></wps:txbx></wps:wsp>"
    inline = f"<wp:inline><a:graphic><a:graphicData>{shape}</a:graphicData></a:graphic></wp:inline>"
    return f"<w:drawing {NAMES}>{inline}</w:drawing>"


def old_box(text: str) -> str:
    content = f"<w:txbxContent>{p(text)}</w:txbxContent>"
    return f"<w:pict {NAMES}><v:shape><v:textbox>{content}</v:textbox></v:shape></w:pict>"


def test_values_of_fields_and_text_with_a_direction_or_a_reading_are_read(workspace: Workspace, tmp_path: Path) -> None:
    field = f'<w:p>{of_text("Repairs take ")}<w:fldSimple w:instr=" REF d ">{of_text("19 days")}</w:fldSimple></w:p>'
    turned = "".join(
        f'<w:p><w:{name} w:val="ltr">{of_text(f"Set by {name}.")}</w:{name}></w:p>' for name in ("bdo", "dir")
    )
    body, notes = imported(docx(field, turned), tmp_path)
    assert body.endswith("Repairs take 19 days\n\nSet by bdo.\n\nSet by dir.\n")
    assert notes == []


def test_a_text_box_is_read_once_with_and_without_its_older_form(workspace: Workspace, tmp_path: Path) -> None:
    new = f'<mc:Choice Requires="wps">{box("Both forms.")}</mc:Choice>'
    both = (
        f"<mc:AlternateContent {NAMES}>{new}<mc:Fallback>{old_box('Both forms.')}</mc:Fallback></mc:AlternateContent>"
    )
    only = f"<mc:AlternateContent {NAMES}>{new.replace('Both forms', 'The new form')}</mc:AlternateContent>"
    runs = [both, only, box("A bare box."), old_box("The old form.")]
    body, _ = imported(docx(*[f"<w:p>{of_text('Above. ')}<w:r>{run}</w:r></w:p>" for run in runs]), tmp_path)
    said = [line for line in body.splitlines() if line and line != "Above."]
    assert said[-4:] == ["Both forms.", "The new form.", "A bare box.", "The old form."]
    assert body.count("Both forms.") == 1


def test_hidden_text_stays_hidden_in_text_boxes_and_in_the_strict_format(workspace: Workspace, tmp_path: Path) -> None:
    boxed = box("Shown.").replace("</w:p>", f"{HIDDEN}</w:p>")
    usual = docx(p("Keep it dry."), f"<w:p><w:r>{boxed}</w:r></w:p>", f"<w:p>{HIDDEN}</w:p>")
    for number, content in enumerate((usual, strict(usual))):
        folder = tmp_path / str(number)
        folder.mkdir()
        body, notes = imported(content, folder)
        assert "Shown." in body
        assert "Refund" not in body
        assert "Refund everybody. Refund everybody." in " ".join(notes)


def strict(content: bytes) -> bytes:
    """Return a file as Word writes it as "Strict Open XML"."""
    with ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    old, new = (
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    return zipped({name: part.replace(old, new) for name, part in parts.items()})


SPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def of_value(name: str, value: object) -> str:
    return f'<w:{name} w:val="{value}"/>'


def level(number: int, pattern: str, kind: str = "decimal", *, start: int = 1, more: str = "") -> str:
    inside = of_value("start", start) + of_value("numFmt", kind) + more + of_value("lvlText", pattern)
    return f'<w:lvl w:ilvl="{number}">{inside}</w:lvl>'


def numbered(levels: str, *blocks: str) -> bytes:
    """Return a file whose styles Heading1 to Heading3 are numbered by a list of these levels."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{one}">{of_value("name", f"heading {one}")}<w:pPr><w:numPr>'
        f"{of_value('ilvl', one - 1)}{of_value('numId', 7)}</w:numPr></w:pPr></w:style>"
        for one in (1, 2, 3)
    )
    styles += f'<w:style w:type="paragraph" w:styleId="Own">{of_value("name", "Own")}{of_value("basedOn", "Heading2")}'
    styles += "</w:style>"
    listed = f'<w:abstractNum w:abstractNumId="3">{levels}</w:abstractNum>'
    listed += f'<w:num w:numId="7">{of_value("abstractNumId", 3)}</w:num>'
    return docx(
        *blocks,
        more={
            "word/styles.xml": f"<w:styles {SPACE}>{styles}</w:styles>".encode(),
            "word/numbering.xml": f"<w:numbering {SPACE}>{listed}</w:numbering>".encode(),
        },
    )


def heading(depth: int | str, text: str, own: str = "") -> str:
    style = of_value("pStyle", f"Heading{depth}" if isinstance(depth, int) else depth)
    return f"<w:p><w:pPr>{style}{own}</w:pPr>{of_text(text) if text else ''}</w:p>"


def headings(body: str) -> list[str]:
    return [line.lstrip("# ") for line in body.splitlines() if line.startswith("#")]


MANUAL = level(0, "%1") + level(1, "%1.%2") + level(2, "%1.%2.%3)")


def test_automatic_numbers_of_headings_are_read(workspace: Workspace, tmp_path: Path) -> None:
    off = f"<w:numPr>{of_value('numId', 0)}</w:numPr>"
    blocks = (
        heading(1, "Preface", off), p("Read me."), heading(1, "Pump"), heading(2, "Filter"), heading(3, "Washing"),
        p("Wash it."), heading(3, "Drying"), heading(2, ""), heading(2, "Motor"), heading("Own", "Not a heading"),
        heading(1, "Hose"), heading(2, "Length"), p("Three metres."),
    )  # fmt: skip
    body, notes = imported(numbered(MANUAL, *blocks), tmp_path)
    expected = ["1 Pump", "1.1 Filter", "1.1.1) Washing", "1.1.2) Drying", "1.3 Motor", "2 Hose", "2.1 Length"]
    assert headings(body)[-7:] == expected
    assert "\nNot a heading\n" in body  # counted, as Word does, and not numbered
    assert Article.objects.get().live_revision.title == "Preface"  # type: ignore[union-attr]
    assert notes == []


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (level(0, "Part %1:", "upperRoman", start=4) + level(1, "%2)", "lowerLetter"), ["Part IV: A", "a) B", "b) C"]),
        (level(0, "%1", "upperRoman") + level(1, "%1.%2", more="<w:isLgl/>"), ["I A", "1.1 B", "1.2 C"]),
        (level(0, "§ %1", "decimalZero") + level(1, "", "none"), ["§ 01 A", "B", "C"]),
        (level(0, "•", "bullet"), ["A", "B", "C"]),
        (level(0, "x" * 100), ["A", "B", "C"]),
        ("", ["A", "B", "C"]),
    ],
)
def test_a_number_has_the_form_that_word_shows(
    workspace: Workspace, tmp_path: Path, levels: str, expected: list[str]
) -> None:
    off = f"<w:numPr>{of_value('numId', 0)}</w:numPr>"
    blocks = (heading(1, "A"), p("a"), heading(2, "B"), p("b"), heading(2, "C"), p("c"))
    body, _ = imported(numbered(levels, heading(1, "Title", off), p("First."), *blocks), tmp_path)
    assert headings(body)[-3:] == expected


MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def mr(text: str, properties: str = "") -> str:
    return f"<m:r>{properties}<m:t>{text}</m:t></m:r>"


def test_formulas_are_read_as_text(workspace: Workspace, tmp_path: Path) -> None:
    fraction = f"<m:f><m:num>{mr('a+b')}</m:num><m:den>{mr('2')}</m:den></m:f>"
    square = f"<m:sSup><m:e>{mr('x')}</m:e><m:sup>{mr('2')}</m:sup></m:sSup>"
    root = f"<m:rad><m:deg/><m:e>{fraction}</m:e></m:rad>"
    row = f"<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=']'/></m:dPr><m:e>{mr('1')}</m:e><m:e>{square}</m:e></m:d>"
    secret = mr("7734", f"<w:rPr>{of_value('vanish', 'on')}</w:rPr>")
    inline = f"<w:p>{of_text('The load is ')}<m:oMath {MATH}>{fraction}{secret}</m:oMath>{of_text(' kilograms.')}</w:p>"
    alone = f"<w:p><m:oMathPara {MATH}><m:oMath>{mr('y=')}{root}{row}</m:oMath></m:oMathPara></w:p>"
    body, notes = imported(docx(inline, alone), tmp_path)
    assert "The load is (a+b)/2 kilograms." in body
    assert "y=√((a+b)/2)[1, x^2]" in body.replace("\\", "")
    assert ("7734" in body, notes) == (False, ["Hidden text left out: “7734”"])


def test_comments_are_left_out_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    comments = f"<w:comments {SPACE}>" + f'<w:comment w:id="1">{p("Is that so?")}</w:comment>' * 2 + "</w:comments>"
    body, notes = imported(docx(p("Repairs take 19 days."), more={"word/comments.xml": comments.encode()}), tmp_path)
    assert ("Is that so" in body, notes) == (False, ["Comments left out: 2."])


def test_the_title_of_a_document_is_the_articles_title(workspace: Workspace, tmp_path: Path) -> None:
    """It has Word's own style for titles, whose name in the file is English in every language."""
    styles = (
        f'<w:styles xmlns:w="{W}"><w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>'
        f'<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style></w:styles>'
    )
    content = docx(
        p("Trade terms", "Titel"), p("They apply from May."), p("Discounts", "berschrift1"), p("30 %."),
        more={"word/styles.xml": styles.encode()},
    )  # fmt: skip
    body, _ = imported(content, tmp_path)
    assert Article.objects.get().live_revision.title == "Trade terms"  # type: ignore[union-attr]
    assert body == "# Trade terms\n\nThey apply from May.\n\n# Discounts\n\n30 %.\n"
