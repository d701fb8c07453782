"""Importing in the browser: previewed, then imported, without the broken file."""

import gzip
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kb.indexing.sync import sync_articles
from kb.models import Article, Category, State
from kb.services import Change, save_draft
from supportbot.accounts.models import User
from tests.console.conftest import Enter

pytestmark = pytest.mark.django_db
PAGE = "/admin/import/"


@pytest.fixture
def send(enter: Enter) -> Callable[..., Any]:
    client = enter("editor")

    def sent(do: str, *files: tuple[str, bytes], paths: list[str] | None = None, **more: str) -> Any:
        uploads = [SimpleUploadedFile(name, content) for name, content in files]
        data = {"do": do, "files": uploads, **more, **({"path": paths} if paths else {})}
        return client.post(PAGE, data, headers={"Accept": "application/json"})

    return sent


GOOD = ("wool.md", b"---\ntitle: Washing wool\n---\nWash wool by hand.\n")
BROKEN = ("felt.md", b"\xff\xfe broken")


def outcomes(answer: Any) -> list[tuple[str, str]]:
    return [(item["origin"], item["outcome"]) for item in answer.json()["items"]]


def test_a_preview_reports_and_stores_nothing(send: Any) -> None:
    answer = send("check", GOOD, BROKEN)
    assert outcomes(answer) == [("felt.md", "failed"), ("wool.md", "new")]
    assert "not UTF-8" in answer.json()["items"][0]["message"]
    assert [item["title"] for item in answer.json()["items"]] == ["", "Washing wool"]
    assert not Article.objects.exists()


@pytest.mark.long
def test_a_preview_shows_which_lines_an_import_would_change(send: Any, enter: Enter) -> None:
    send("publish", GOOD)
    changed = (GOOD[0], GOOD[1].replace(b"by hand", b"at 30 degrees").replace(b"Washing", b"Caring for"))
    [item] = send("check", changed).json()["items"]
    assert [(line["kind"], line["text"]) for line in item["changes"]] == [
        ("del", "Washing wool"),
        ("add", "Caring for wool"),
        ("del", "Wash wool by hand."),
        ("add", "Wash wool at 30 degrees."),
    ]
    save_draft(Article.objects.get().pk, Change(title="Caring for wool", body="Wash wool at 30 degrees.\n"))
    [item] = send("check", changed).json()["items"]
    assert item["outcome"] == "updated" and len(item["changes"]) == 4, "customers still read the old text"
    page = enter("admin").post(PAGE, {"do": "check", "files": [SimpleUploadedFile(*changed)]}).content.decode()
    assert "What changes" in page and "Wash wool at 30 degrees." in page
    assert send("check", GOOD).json()["items"][0]["changes"] == []
    long = (GOOD[0], GOOD[1] + b"".join(b"Line %d\n\n" % number for number in range(100)))
    assert "More changed lines:" in send("check", long).json()["items"][0]["changes"][-1]["text"]


def test_only_the_broken_file_is_left_out(send: Any) -> None:
    answer = send("publish", GOOD, BROKEN, ("html.html", b"<title>Felt</title><p>Felt it.</p>"))
    assert answer.json()["counts"] == {"new": 2, "updated": 0, "unchanged": 0, "failed": 1}
    assert set(Article.objects.values_list("state", flat=True)) == {State.LIVE}
    assert outcomes(send("publish", GOOD)) == [("wool.md", "unchanged")]
    assert outcomes(send("publish", (GOOD[0], GOOD[1] + b"Cold.\n"))) == [("wool.md", "updated")]
    assert Article.objects.count() == 2


def test_imported_drafts_are_not_published(send: Any) -> None:
    send("draft", GOOD, collection="Care")
    article = Article.objects.get()
    assert (article.state, article.collection.name) == (State.DRAFT, "Care")


def test_paths_in_a_folder_become_ids(send: Any) -> None:
    send("publish", ("a.md", b"One.\n"), ("a.md", b"Two.\n"), paths=["en/a.md", "de/a.md"])
    assert set(Article.objects.values_list("external_id", flat=True)) == {"en/a.md", "de/a.md"}


@pytest.mark.parametrize(
    "path", ["../../etc/passwd.md", "/etc/x.md", "a/../b.md", ".hidden.md", "a\x00b.md", "x" * 300]
)
def test_no_path_leads_outside_its_folder(send: Any, path: str) -> None:
    answer = send("publish", ("a.md", b"Words.\n"), paths=[path])
    assert answer.json()["items"][0]["outcome"] == "failed"
    assert not Article.objects.exists()


def test_an_unreadable_file_is_reported_without_internal_paths(send: Any) -> None:
    answer = send("check", ("photo.png", b"\x89PNG"), ("lines.jsonl", b'{"id": "1", "title": "x"}\nnot json\n'))
    text = answer.content.decode()
    assert [item["outcome"] for item in answer.json()["items"]] == ["failed"] * 3
    assert "Files of this kind cannot be read" in text
    assert "/tmp" not in text and "supportbot-import" not in text


def test_the_categories_of_an_export_are_pointed_to_sources(send: Any) -> None:
    for path in ("categories.json", "export/categories.json"):
        [item] = send("publish", ("categories.json", b"[]"), paths=[path]).json()["items"]
        assert (item["outcome"], "as a file source under Sources" in item["message"]) == ("failed", True)
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("export/hat.md", "# Hats\n\nBy hand.\n")
        archive.writestr("export/categories.json", '[{"name": "Care"}]')
    items = send("publish", ("export.zip", packed.getvalue())).json()["items"]
    assert sorted(item["outcome"] for item in items) == ["failed", "new"]
    [left_out] = [item for item in items if item["outcome"] == "failed"]
    assert left_out["origin"] == "export.zip/export/categories.json"
    assert "as a file source under Sources" in left_out["message"] and not Category.objects.exists()


def test_a_file_with_too_many_items_is_cut(send: Any) -> None:
    many = "\n".join(json.dumps({"id": str(n), "title": f"T{n}", "text": "Words."}) for n in range(600))
    answer = send("check", ("many.jsonl.gz", gzip.compress(many.encode())))
    counts = answer.json()["counts"]
    assert (counts["new"], counts["failed"]) == (500, 1)


def test_the_page_without_scripts_answers_with_the_report(enter: Enter) -> None:
    client = enter("editor")
    files = [SimpleUploadedFile(*GOOD), SimpleUploadedFile(*BROKEN)]
    html = client.post(PAGE, {"do": "check", "files": files}).content.decode()
    assert "Preview of the import" in html
    assert "New: 1, updates: 0, unchanged: 0, unreadable: 1." in " ".join(html.split())


def test_an_invalid_collection_name_is_refused(send: Any) -> None:
    answer = send("publish", GOOD, collection="x" * 200)
    assert (answer.status_code, "longer than 120" in answer.json()["message"]) == (400, True)
    assert not Article.objects.exists()


def test_the_import_state_lists_searchable_articles(send: Any) -> None:
    ids = send("publish", GOOD).json()["articles"]
    editor = Client()
    editor.force_login(User.objects.get())
    assert editor.post(f"{PAGE}state/", {"article": [*ids, "nonsense"]}).json()["searchable"] == []
    sync_articles(ids)
    assert editor.post(f"{PAGE}state/", {"article": ids}).json()["searchable"] == ids


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_readers_cannot_import(enter: Enter, role: str) -> None:
    answer = enter(role).post(PAGE, {"do": "publish", "files": [SimpleUploadedFile(*GOOD)]})
    assert answer.status_code == 403
    assert not Article.objects.exists()
