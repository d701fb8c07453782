"""Pictures imported with files: next to the text or inside it."""

import re
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from kb.importing.loaders.html import markdown_of_html
from kb.importing.parsed_document import Document
from kb.importing.pictures import MAX_TRIED, PicturesTaken, with_pictures
from kb.models import Article, Picture
from kb.pictures import address_of
from kb.sources.services import SourceChanges, add_source
from kb.sources.uploads import add_files
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.errors import InvalidInput
from tests.console.test_firststeps import chunk, png
from tests.kb.import_command import run
from tests.kb.made_files import PICTURE, docx, p, zipped
from tests.kb.made_pictures import painted
from tests.kb.source_commands import add, again, reasons

pytestmark = pytest.mark.django_db
ADDRESS = re.compile(r"!\[([^\]]*)\]\((/help/wrenfell/pictures/[0-9a-f]{40}\.(?:png|webp))[^)]*\)")
NOT_TAKEN = {
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "wrong.png": b"GIF89a",
    "script.png": b"<script>alert(1)</script>",
    "huge.png": png(width=60_000, height=60_000, rows=b""),
    "torn.png": png()[:-40],
    "false.png": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0" * 13) + chunk(b"IEND", b""),
}


def body_of(external_id: str) -> str:
    revision = Article.objects.get(external_id=external_id).live_revision
    assert revision is not None
    return revision.body


def notes_of(report: dict[str, Any]) -> list[str]:
    return [note for item in report["items"] for note in item["notes"]]


def written(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


FILES = {
    "reset.md": b"# Reset\n\nPress it.\n\n![The red button](img/red%20one.png 'x') ![Same](./img/red%20one.png)\n",
    "page.html": b"<h1>Page</h1><p>Look: <img src='img/blue.png'> <img src='img/blue.png' alt=''> <img src='no.png' "
    b"alt='None'></p>",
    "img/red one.png": png(width=2),
    "img/blue.png": painted("JPEG", width=3),
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("as_zip", [False, True])
def test_picture_files_next_to_an_article_are_shown_in_it(
    workspace: Workspace, client: Client, tmp_path: Path, as_zip: bool
) -> None:
    place = tmp_path / "all.zip"
    if as_zip:
        place.write_bytes(zipped(FILES))
    else:
        place = tmp_path / "all"
        written(place, FILES)
    assert not run(place, "--dry-run")["failed"] and not Picture.objects.exists(), "a dry run stores nothing"
    report = run(place)
    assert notes_of(report) == [
        "Picture left out: no.png. The file is not in the folder or zip file. Add it, then import again."
    ]
    [(said, red), (_, same)] = ADDRESS.findall(body_of("reset.md"))
    assert (said, same) == ("The red button", red)
    assert [said for said, _ in ADDRESS.findall(body_of("page.html"))] == ["blue"], "named after its file"
    assert client.get(red)["Content-Type"] == "image/png"
    assert f'<img src="{red}" alt="The red button"' in client.get("/help/wrenfell/reset.md/").content.decode()
    assert run(place)["unchanged"] == 2 and Picture.objects.count() == 2


def test_pictures_inside_the_text_are_taken_out_of_it(workspace: Workspace, tmp_path: Path) -> None:
    large, tiny = (b64encode(png(width=size, height=size)).decode() for size in (40, 1))
    page = f"<h1>P</h1><p>A <img alt='Large' src='data:image/png;base64,{large}'> B</p>"
    page += f"<img alt='Loads late' src='data:image/png;base64,{tiny}'> <img src='data:image/png;base64,%%%'>"
    text = f"# M\n\nA ![Large](data:image/png;base64,{large}) and ![Torn](data:image/png;base64,AAAA).\n"
    written(tmp_path, {"all/page.html": page.encode(), "all/text.md": text.encode()})
    notes = notes_of(run(tmp_path / "all"))
    assert [note.partition(". ")[0] for note in notes] == ["Picture left out: data:image/png;base64"] * 2
    [(said, address)] = ADDRESS.findall(body_of("page.html"))
    assert (said, "Loads late" in body_of("page.html")) == ("Large", True)
    assert body_of("text.md") == f"# M\n\nA ![Large]({address}) and Torn.\n"
    assert Picture.objects.count() == 1


def test_each_refused_embedded_picture_is_counted(workspace: Workspace) -> None:
    refused = [b64encode(content).decode() for content in NOT_TAKEN.values()] + ["=", "A", "A"]
    body = "".join(f"![x](data:image/png;base64,{content})\n" for content in refused)
    document = with_pictures(Document("a.md", ArticleText("A", body)), lambda name: None)
    assert [note.partition(". ")[0] for note in document.notes[:3]] == ["Picture left out: data:image/png;base64"] * 3
    assert document.notes[3:] == (f"More pictures left out: {len(NOT_TAKEN) + 2 - 3}.",), "the same picture counts once"


def test_a_refusal_that_names_no_field_is_reported_by_its_message(workspace: Workspace) -> None:
    def beside(name: str) -> bytes:
        raise InvalidInput("The disk is full.")

    document = with_pictures(Document("a.md", ArticleText("A", "![x](x.png)\n")), beside)
    assert document.notes == ("Picture left out: x.png. The disk is full.",)


def test_anything_but_a_harmless_picture_is_left_out_with_a_reason(workspace: Workspace, tmp_path: Path) -> None:
    names = [*NOT_TAKEN, "../outside.png", "link.png", "missing.png", "https://10.0.0.8/a.png", "//10.0.0.8/a.png"]
    written(tmp_path, {f"all/{name}": content for name, content in NOT_TAKEN.items()})
    written(tmp_path, {"outside.png": png(), "all/a.md": "".join(f"![{n}]({n})\n" for n in names).encode()})
    (tmp_path / "all/link.png").symlink_to(tmp_path / "outside.png")
    report = run(tmp_path / "all")
    assert not report["failed"] and not Picture.objects.exists()
    notes = notes_of(report)
    drawing = "The file is an SVG drawing, which can contain scripts. Save it as PNG."
    assert notes[0] == f"Picture left out: drawing.svg. {drawing}"
    assert notes[-1] == f"More pictures left out: {len(NOT_TAKEN)}.", "pictures at other addresses are not requested"
    assert body_of("a.md").startswith("![drawing.svg](drawing.svg)\n"), "the text stays unchanged"


def test_pictures_in_word_files_are_imported_too(workspace: Workspace, client: Client, tmp_path: Path) -> None:
    blocks = (p("Press the button.", run=PICTURE),)
    for name, picture in (("good", png()), ("photo", painted("JPEG")), ("bad", b"\xd7\xcd\xc6 a drawing")):
        (tmp_path / f"{name}.docx").write_bytes(docx(*blocks, more={"word/media/i.png": picture}))
    report = run(tmp_path)
    for name in ("good.docx", "photo.docx"):
        [(said, address)] = ADDRESS.findall(body_of(name))
        assert client.get(address).status_code == 200 and said
    refusal = "The file is not a PNG, JPEG, WebP or GIF picture. Save it as one of these."
    assert {item["external_id"]: item["notes"] for item in report["items"]} == {
        "good.docx": [],
        "photo.docx": [],
        "bad.docx": [f"Picture left out: picture-1. {refusal}"],
    }
    assert "![" not in body_of("bad.docx")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("kb.importing.pictures.MAX_PICTURES", 5)
    return 5


def test_number_and_size_of_pictures_are_limited(
    workspace: Workspace, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = PicturesTaken(lambda reference: png(width=int(reference)))
    html = "<p>x</p>" + "".join(f"<img src='{number}' alt='a'>" for number in range(1, few + 2))
    _, body = markdown_of_html(html, taken)
    assert len(taken.pictures) == body.count("![") == few
    size = len(next(iter(taken.pictures.values())).content)
    monkeypatch.setattr("kb.importing.pictures.MAX_TOTAL_BYTES", 2 * size + 9)
    taken = PicturesTaken(lambda reference: png(width=int(reference)))
    markdown_of_html(html, taken)
    assert len(taken.pictures) == 2


@pytest.mark.long
def test_each_picture_file_is_tried_once_and_only_a_limited_number_are(workspace: Workspace) -> None:
    tried: list[str] = []

    def beside(name: str) -> bytes:
        tried.append(name)
        return b"not a picture"

    said = [*(f"b.png?{n}" for n in range(9)), "./b.png", "x/../b.png", "%62.png", "b.png#top"]
    said += [f"{n}.png" for n in range(MAX_TRIED + 9)]
    body = "".join(f"![x]({reference})\n" for reference in said)
    document = with_pictures(Document("a.md", ArticleText("A", body)), beside)
    assert len(tried) == len(set(tried)) == MAX_TRIED and tried[0] == "b.png"
    assert document.notes[-1] == f"More pictures left out: {MAX_TRIED + 10 - 3}."
    assert document.wording.body == body


def test_no_more_pictures_than_the_limit_are_read(workspace: Workspace, few: int) -> None:
    tried: list[str] = []

    def beside(name: str) -> bytes:
        tried.append(name)
        return png(width=int(name))

    body = "".join(f"![x]({number})\n" for number in range(1, few + 9))
    document = with_pictures(Document("a.md", ArticleText("A", body)), beside)
    assert len(tried) == len(document.pictures) == few


@pytest.mark.long
def test_pictures_are_stored_after_their_articles_are_locked_and_in_one_order(
    workspace: Workspace, tmp_path: Path
) -> None:
    files = {f"{width}.png": png(width=width) for width in range(1, 9)}
    files["a.md"] = b"# A\n\n" + b"".join(b"![x](%d.png)\n" % width for width in range(1, 5))
    files["b.md"] = b"# B\n\n" + b"".join(b"![x](%d.png)\n" % width for width in range(5, 9))
    written(tmp_path, files)
    run(tmp_path)
    Picture.objects.update(created_at=now() - timedelta(days=2))
    with CaptureQueriesContext(connection) as queries:
        run(tmp_path)
    said = [query["sql"] for query in queries]
    locked = next(place for place, sql in enumerate(said) if "FOR NO KEY UPDATE" in sql and '"kb_article"' in sql)
    renewed = [place for place, sql in enumerate(said) if sql.startswith('UPDATE "kb_picture"')]
    assert len(renewed) == 8 and locked < renewed[0], "an editor locks the article first, too"
    digests = [found for place in renewed for found in re.findall(r"[0-9a-f]{40}", said[place])]
    assert digests == sorted(digests) and len(digests) == 8


@pytest.mark.long
def test_a_text_keeps_its_references_if_the_workspace_has_no_space_left(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb.pictures.MAX_PICTURES", 1)
    place, names = tmp_path / "all", ("red%20one.png", "blue.png")
    markdown = "# A\n\n" + "".join(f"![x](img/{name} 'said')\n" for name in names)
    files = {name: content for name, content in FILES.items() if name.startswith("img/")}
    written(place, {"a.md": markdown.encode(), **files})
    [item] = run(place)["items"]
    assert item["notes"] == ["There are 1 pictures already, which is the limit."]
    [(_, stored)] = ADDRESS.findall(body_of("a.md"))
    assert stored.endswith(f"/{Picture.objects.get().digest}.png")
    kept = [name for name in names if f"![x](img/{name} 'said')" in body_of("a.md")]
    assert len(kept) == 1, "as it was in the file"
    assert run(place)["unchanged"] == 1

    (place / "a.md").unlink()
    (place / "b.html").write_text("<h1>B</h1><p>Look: <img src='img/green.png' alt='[Green]'></p>")
    (place / "img/green.png").write_bytes(png(width=9))
    run(place)
    assert body_of("b.html").endswith("Look: \\[Green\\]\n"), "the description, as if there were no picture"
    monkeypatch.setattr("kb.pictures.MAX_PICTURES", 2)
    assert run(place)["updated"] == 1
    assert body_of("b.html").count(address_of(Picture.objects.get(width=9))) == 1


def test_an_uploaded_text_with_an_impossible_name_is_imported_without_that_picture(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source("uploads", SourceChanges(name="Drawer", collection="Drawer"))
    monkeypatch.setattr("kb.importing.picture_reencoding.MAX_BYTES", 600_000)
    long = png() + b"\0" * 600_000
    text = b"# A\n\n![x](a%00.png) ![y](long.png) ![z](b.png)\n"
    assert add_files(source, [("all.zip", zipped({"a.md": text, "b.png": png(width=4), "long.png": long}))]) == []
    told = again("Drawer")
    assert len(ADDRESS.findall(body_of("a.md"))) == 1 and "![x](a%00.png) ![y](long.png)" in body_of("a.md")
    assert "a%00.png. The file is not in the folder or zip file." in reasons(told)["a.md"]
    assert "long.png. The picture is larger than" in reasons(told)["a.md"]


@pytest.mark.long
def test_pictures_are_imported_from_a_folder_and_from_uploads_that_are_read_again(
    workspace: Workspace, client: Client, tmp_path: Path
) -> None:
    written(tmp_path / "papers", FILES)
    assert reasons(add(tmp_path / "papers"))["page.html"].startswith("Picture left out: no.png")
    assert client.get(ADDRESS.findall(body_of("reset.md"))[0][1]).status_code == 200
    source = add_source("uploads", SourceChanges(name="Drawer", collection="Drawer"))
    files = {"drawer/a.md": b"# A\n\n![x](../b.png) ![y](../../b.png)\n", "b.png": png(width=4)}
    assert add_files(source, [("papers.zip", zipped(files))]) == []
    again("Drawer")
    assert len(ADDRESS.findall(body_of("drawer/a.md"))) == 1
