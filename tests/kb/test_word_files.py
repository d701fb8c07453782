"""What Word writes around text does not hide the text, and what it hides stays hidden."""

import io
from pathlib import Path
from zipfile import ZipFile

import pytest

from kb.models import Article
from supportbot.accounts.models import Workspace
from tests.kb.import_command import run
from tests.kb.made_files import HIDDEN, docx, p, zipped

pytestmark = pytest.mark.django_db

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
