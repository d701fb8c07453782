"""The files of a source: tables with a row per article, zip files, uploads and the pictures beside texts."""

import time
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from kb.importing.confinement import facts_and_contents
from kb.importing.loaders import file_reading
from kb.models import Article, SourceRun
from kb.services import Change, publish, save_draft
from kb.sources import item_import
from kb.sources.services import SourceChanges, add_source
from kb.sources.uploads import MAX_FILE_BYTES, add_files, remove_file
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.console.test_firststeps import png
from tests.kb.made_files import Text, docx, p, pdf, zipped
from tests.kb.source_commands import add, again, counts, live, reasons
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
LONG_LINE = 1_000_000  # bytes


@pytest.mark.long
def test_rows_that_vanish_from_a_file_are_archived(tmp_path: Path, workspace: Workspace) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("question,answer\nHow long?,Two days.\nHow much?,Five euros.\n")
    add(table)
    assert live() == {"How long?", "How much?"}
    table.write_text("question,answer\nHow long?,Three days.\n")
    assert again()["changed"] == 1
    assert live() == {"How long?"}


@pytest.mark.long
def test_a_row_that_cannot_be_read_any_more_keeps_its_article(tmp_path: Path, workspace: Workspace) -> None:
    table, lines = tmp_path / "faq.csv", tmp_path / "more.jsonl"
    table.write_text("question,answer\nHow long?,Two days.\nHow much?,Five euros.\nWho?,Ines.\n")
    lines.write_text("".join(f'{{"id": "{name}", "title": "{name}", "text": "Text."}}\n' for name in ("a", "b", "c")))
    add(tmp_path)
    assert live() == {"How long?", "How much?", "Who?", "a", "b", "c"}
    table.write_text("question,answer\nSo?,Yes.\nHow long?,Three, or four days.\nWho?,Ada.\n")
    lines.write_text('{"id": "b", "text": 1}\n{"id": "c", "title": "c", "text": "New."}\n')
    told = again()
    assert live() == {"So?", "How long?", "Who?", "b", "c"}, "gone rows are archived, refused ones are not"
    assert "The row has 3 cells" in reasons(told)["faq.csv"]
    assert Article.objects.get(external_id__startswith="faq.csv#", live_revision__title="How long?").state == "live"


@pytest.mark.long
def test_only_changed_files_of_a_zip_are_read_again(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(kind: Any, file: Path) -> Any:
        read.append(kind)
        return facts_and_contents(kind, file)

    monkeypatch.setattr(file_reading, "facts_and_contents", counted)
    manuals = {f"{name}.pdf": pdf([Text(60, 700, f"The {name} is kept dry.")]) for name in ("pump", "hose", "lamp")}
    gate = docx(p("The gate is kept shut."))
    (tmp_path / "papers.zip").write_bytes(zipped({**manuals, "gate.docx": gate}))
    assert counts(add(tmp_path)) == (1, 0, 0, 0, 0, 0)
    assert sorted(read) == ["pdf", "pdf", "pdf", "word"]
    hose = Article.objects.get(external_id="hose.pdf")
    save_draft(hose.pk, Change(body="An editor's words."))
    publish(hose.pk)
    read.clear()
    manuals["pump.pdf"] = pdf([Text(60, 700, "The pump is kept warm.")])
    del manuals["lamp.pdf"]
    (tmp_path / "papers.zip").write_bytes(zipped({**manuals, "gate.docx": gate}))
    assert counts(again()) == (0, 1, 0, 0, 0, 0)
    assert read == ["pdf"]
    texts = Article.objects.filter(state="live").values_list("external_id", "live_revision__body")
    assert {name: text.strip().split("\n")[-1] for name, text in texts} == {
        "pump.pdf": "The pump is kept warm.",
        "hose.pdf": "An editor's words.",
        "gate.docx": "The gate is kept shut.",
    }
    read.clear()
    (tmp_path / "papers.zip").write_bytes(zipped({**manuals, "gate.docx": b"PK, but broken"}))
    assert "gate.docx" in str(again()["items"])  # reported, and its article stays
    assert Article.objects.get(external_id="gate.docx").state == "live"
    assert read == []


@pytest.mark.long
def test_files_of_a_zip_are_renamed_moved_broken_and_removed(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "papers.zip"
    east, west = (pdf([Text(60, 700, f"The {side} pump is kept dry.")]) for side in ("east", "west"))
    rows = b"question,answer\nHow long?,Two days.\n"
    lamp = b"---\nid: the-lamp\n---\n# Lamp\n\nIt is dim.\n"
    file.write_bytes(zipped({"east/pump.pdf": east, "west/pump.pdf": west, "faq.csv": rows, "lamp.md": lamp}))
    add(tmp_path)
    first = set(Article.objects.filter(state="live").values_list("external_id", flat=True))
    assert {"east/pump.pdf", "west/pump.pdf", "the-lamp"} < first and len(first) == 4
    file.write_bytes(zipped({"east/old.pdf": east, "west/pump.pdf": east, "faq.csv": b"\0\xff", "lamp.md": b"\0\xff"}))

    def killed(*args: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(item_import, "_link", killed)
        with pytest.raises(KeyboardInterrupt):
            again()
    assert set(Article.objects.filter(state="live").values_list("external_id", flat=True)) == first
    SourceRun.objects.update(lease_until=None)
    again()
    live_now = dict(Article.objects.filter(state="live").values_list("external_id", "live_revision__body"))
    assert set(live_now) == (first - {"east/pump.pdf"}) | {"east/old.pdf"}
    assert "The east pump" in live_now["west/pump.pdf"] and "The east pump" in live_now["east/old.pdf"]
    file.write_bytes(zipped({"west/pump.pdf": east}))
    again()
    assert set(Article.objects.filter(state="live").values_list("external_id", flat=True)) == {"west/pump.pdf"}


@pytest.mark.long
def test_files_of_the_same_name_in_a_zip_are_not_confused(tmp_path: Path, workspace: Workspace) -> None:
    one, other = (pdf([Text(60, 700, f"The {name} pump is kept dry.")]) for name in ("green", "brown"))
    file = tmp_path / "papers.zip"
    with ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("pump.pdf", one)
        archive.writestr("pump.pdf", other)
    add(tmp_path)
    assert "green" in Article.objects.values_list("live_revision__body", flat=True).get()
    file.write_bytes(zipped({"pump.pdf": other}))
    again()
    assert "brown" in Article.objects.values_list("live_revision__body", flat=True).get()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("folder", ["", "manuals/"])
@pytest.mark.parametrize("name", ["gate.docx", "gate.pdf"])
def test_a_zip_of_uncompressed_files_is_not_taken_for_the_first_of_them(
    tmp_path: Path, workspace: Workspace, folder: str, name: str
) -> None:
    gate = docx(p("The gate is shut.")) if name.endswith("docx") else pdf([Text(60, 700, "The gate is shut.")])
    with ZipFile(tmp_path / "papers.zip", "w") as archive:
        if folder:
            archive.mkdir(folder)
        archive.writestr(folder + name, gate)
        archive.writestr(f"{folder}lamp.md", "# Lamp\n\nIt is dim.\n")
    add(tmp_path)
    assert set(Article.objects.values_list("external_id", flat=True)) == {folder + name, f"{folder}lamp.md"}


@pytest.mark.long
def test_uploaded_files_can_be_added_and_removed(workspace: Workspace, embedder: HashEmbedder) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    files = [
        ("a.md", b"# A\n\nWords of A.\n"),
        ("b.md", b"# B\n\nWords of B.\n"),
        ("../c.md", b"no"),
        ("d.png", b"\x89PNG"),
    ]
    assert len(add_files(source, files)) == 1
    told = again("Files")
    assert counts(told) == (2, 0, 0, 0, 1, 0)
    assert "cannot be read" in reasons(told)["d.png"]
    assert Article.objects.get(external_id="a.md").collection.name == "Care"
    remove_file(source, "a.md")
    assert again("Files")["state"] == "done"  # a person removed it, so there is no loss to confirm
    assert live() == {"B"}


@pytest.mark.long
def test_pictures_that_a_text_uses_are_not_listed_as_broken(workspace: Workspace) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    add_files(source, [("my red.png", png()), ("holiday.png", png()), ("plan.pdf", b"no PDF")])
    told = again("Files")
    assert (told["broken"], reasons(told)["my red.png"].partition(".")[0]) == (3, "Files of this kind cannot be read")
    texts = [("guide/a.md", b"# A\n\n![Red](../my%20red.png)\n"), ("b.HTML", b"<h1>B</h1><img src='Blue.JPG'>Words.")]
    add_files(source, [*texts, ("blue.jpg", b"\xff\xd8\xff torn")])
    told = again("Files")
    assert counts(told) == (2, 0, 0, 0, 2, 0)
    assert {"holiday.png", "plan.pdf"} <= set(reasons(told)) and "my red.png" not in reasons(told)
    assert "/pictures/" in Article.objects.get(external_id="guide/a.md").live_revision.body


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "text",
    [
        "![Red](image%20(1).png) ![Two](two(2).png)![Three](three.png)",
        "![Red](<image (1).png>) (see ![Two](two(2).png), ![Three](three.png))",
        "<p><img src='image (1).png'><img src=\"two(2).png\"> (three.png)</p>",
    ],
)
def test_names_of_pictures_may_contain_brackets(workspace: Workspace, text: str) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    add_files(source, [(name, png()) for name in ("image (1).png", "two(2).png", "three.png")])
    add_files(source, [("a.md", f"# A\n\nWords. {text}\n".encode())])
    assert counts(told := again("Files")) == (1, 0, 0, 0, 0, 0), reasons(told)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("run", [b"a", b"%2F", b".pn"])
def test_a_long_line_without_spaces_is_searched_quickly_for_names_of_pictures(workspace: Workspace, run: bytes) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    begin = time.monotonic()
    page = b"<h1>A</h1><p>Words.</p><script>" + run * (LONG_LINE // len(run)) + b"</script>"
    add_files(source, [("red.png", png()), ("a.html", page)])
    assert set(reasons(again("Files"))) == {"red.png"}
    assert time.monotonic() - begin < PATIENCE_SECONDS  # formerly hours


@pytest.mark.long
def test_millions_of_names_of_pictures_are_not_all_read(workspace: Workspace) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    add_files(source, [("red.png", png()), ("a.html", b".png)" * (MAX_FILE_BYTES // 5))])
    begin = time.process_time()
    assert set(reasons(again("Files"))) == {"red.png", "a.html"}
    assert time.process_time() - begin < 15  # seconds; formerly a minute
