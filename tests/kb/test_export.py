"""`kb_export`, as an operator uses it: an import reads its files back unchanged."""

import io
import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from kb.categories import note_categories, order_categories, save_category
from kb.collections import collection_named
from kb.help_centre.slugs import rename
from kb.importing import exporter
from kb.models import Article, Category, State
from kb.phrasings import phrasings_of, set_phrasings
from kb.pictures import add_picture, address_of
from kb.services import Change, archive, create_article, publish
from kb.translations import is_older, translate
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.console.test_firststeps import png
from tests.kb.import_command import counts, failures, run

pytestmark = pytest.mark.django_db


def export(*arguments: object) -> int:
    out = io.StringIO()
    call_command("kb_export", *map(str, arguments), "--json", stdout=out)
    written: int = json.loads(out.getvalue())["articles"]
    return written


def test_an_export_reads_back_unchanged(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(folder)
    target = tmp_path_factory.mktemp("export")
    assert export(target) == 4
    assert counts(run(target)) == (0, 0, 4, 0)


def facts() -> list[tuple[object, ...]]:
    """Return everything about the workspace's articles that an export must keep."""
    names = ("external_id", "locale", "audience", "category", "url", "state", "collection__name", "slug")
    words = ("latest_revision__title", "latest_revision__body")
    return list(Article.objects.order_by("external_id").values_list(*names, *words))


@pytest.mark.long
def test_everything_is_the_same_in_another_installation(
    workspace: Workspace, other_workspace: Workspace, tmp_path: Path
) -> None:
    for external_id in ("x", "x.md", "X", "x-2d711642", "a/b.md", "a-b", "\u00fc", "no"):
        change = Change(
            title=f"Title: of {external_id} # 1", body=f"---\n{external_id}\n\n", audience="internal", locale="de-at",
            category="Section: one", url="https://shop.example/x", collection=collection_named("C++ & more"),
        )  # fmt: skip
        publish(create_article(change, external_id=external_id).pk)
    create_article(Change(title="Unfinished", body="Not yet."), external_id="draft")
    archive(publish(create_article(Change(title="Gone", body="Old.")).pk).pk)
    before = [row for row in facts() if row[5] != State.ARCHIVED]
    assert (export(tmp_path / "live", "--workspace", "wrenfell"), len(before)) == (8, 9)
    assert export(tmp_path / "all", "--drafts", "--workspace", "wrenfell") == 9
    run(tmp_path / "all", "--workspace", "another")
    with workspace_scope(other_workspace.pk):
        assert facts() == before


@pytest.mark.long
def test_an_export_takes_as_many_queries_for_many_articles(
    workspace: Workspace, tmp_path: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    picture = address_of(add_picture(png()))

    def write(*numbers: int) -> None:
        for number in numbers:
            text = Change(title=f"Hat {number}", body=f"By hand.\n\n![Hat]({picture})\n", locale="en")
            article = create_article(text)
            set_phrasings(article, [f"How do I wash hat {number}?"])
            publish(article.pk)

    write(1)
    with CaptureQueriesContext(connection) as few:
        assert exporter.export_live(tmp_path / "few") == 1
    write(*range(2, 8))
    with django_assert_num_queries(len(few)):
        assert exporter.export_live(tmp_path / "many") == 7
    texts = [file.read_text() for file in (tmp_path / "many").rglob("*.md")]
    assert len({text.partition("phrasings:")[2] for text in texts}) == 7
    assert len(list((tmp_path / "many").rglob("*.png"))) == 1


@pytest.mark.long
def test_address_source_questions_and_pictures_are_kept(
    workspace: Workspace, other_workspace: Workspace, client: Client, tmp_path: Path
) -> None:
    picture = address_of(add_picture(png()))
    german = create_article(Change(title="Hut", body=f"Von Hand.\n\n![Hut]({picture} 'x')\n", locale="de"))
    hat = create_article(Change(title="Wash a hat", body="By hand.\n\n![Gone](/help/wrenfell/pictures/x.png)\n"))
    with transaction.atomic():
        rename(german, "waschen/hut")
    set_phrasings(german, ["Wie wasche ich einen Hut?", 'Hut: "waschen"?'])
    for article in (german, hat):
        publish(article.pk)
    translate(german, hat)
    before = facts()
    export(tmp_path / "all", "--workspace", "wrenfell")
    assert counts(run(tmp_path / "all", "--workspace", "wrenfell")) == (0, 0, 2, 0)
    assert facts() == before

    for expected in ((2, 0, 0, 0), (0, 0, 2, 0)):
        assert counts(run(tmp_path / "all", "--workspace", "another", "--dry-run")) == expected
        assert counts(run(tmp_path / "all", "--workspace", "another")) == expected
    with workspace_scope(other_workspace.pk):
        moved = Article.objects.select_related("translation_of", "live_revision").get(external_id=german.external_id)
        assert moved.translation_of is not None and moved.translation_of.external_id == "wash-a-hat"
        assert (moved.slug, phrasings_of(moved)) == ("waschen/hut", phrasings_of_german(workspace, german))
        assert moved.live_revision is not None
        assert moved.live_revision.body == f"Von Hand.\n\n![Hut]({picture.replace('wrenfell', 'another')} 'x')\n"
        assert not is_older(moved)
    assert client.get(picture.replace("wrenfell", "another")).status_code == 200
    assert client.get("/help/another/waschen/hut/").status_code == 200


def phrasings_of_german(workspace: Workspace, german: Article) -> list[str]:
    with workspace_scope(workspace.pk):
        return phrasings_of(german)


def test_a_wrong_address_or_source_is_reported_and_the_text_is_imported(workspace: Workspace, tmp_path: Path) -> None:
    taken = create_article(Change(title="Taken", body="x"), external_id="taken")
    with transaction.atomic():
        rename(taken, "hats")
    (tmp_path / "a.md").write_text("---\npage_address: hats\ntranslation_of: nowhere\n---\n# A\n")
    (tmp_path / "b.md").write_text("---\nphrasings: [one, [two]]\n---\n# B\n")
    (tmp_path / "c.md").write_text("---\npage_adress: hats\n---\n# C\n")
    report = run(tmp_path)
    assert counts(report) == (1, 0, 0, 2) and Article.objects.get(external_id="a.md").slug == ""
    [told] = [item["notes"] for item in report["items"] if item["notes"]]
    assert told == [
        "page_address hats: Another article has or used to have this address. Choose a different one.",
        "translation_of nowhere: Choose another article.",
    ]


@pytest.mark.long
def test_categories_are_the_same_in_another_installation(
    workspace: Workspace, other_workspace: Workspace, tmp_path: Path
) -> None:
    for name in ("Delivery", "Returns", "Care"):
        publish(create_article(Change(title=f"About {name}", body="Text.", category=name)).pk)
    arranged = Category.objects.get(name="Returns")
    arranged.name, arranged.icon, arranged.description = "Returns & refunds", "undo", "Send it back"
    arranged.translations = {"de": {"name": "Rückgabe", "description": ""}}
    save_category(arranged)
    order_categories([arranged.pk, Category.objects.get(name="Delivery").pk])
    before = looks()
    assert [look[0] for look in before] == ["Returns & refunds", "Delivery", "Care"]
    export(tmp_path, "--workspace", "wrenfell")
    with workspace_scope(other_workspace.pk):
        note_categories(["Care", "Theirs"])
    assert run(tmp_path, "--workspace", "another", "--dry-run")["categories"] == 3
    with workspace_scope(other_workspace.pk):
        assert [look[0] for look in looks()] == ["Care", "Theirs"]
    for _ in range(2):
        assert run(tmp_path, "--workspace", "another")["categories"] == 3
        with workspace_scope(other_workspace.pk):
            assert looks() == [*before, ("Theirs", [], "", "", {})]
    run(tmp_path, "--workspace", "wrenfell")
    assert looks() == before


@pytest.mark.long
@pytest.mark.parametrize("top", ["", "export/"])
def test_categories_are_part_of_an_exported_zip(workspace: Workspace, tmp_path: Path, top: str) -> None:
    file = tmp_path / "export.zip"
    with ZipFile(file, "w") as archive:
        archive.writestr(f"{top}care/hat.md", "---\ncategory: Care\n---\n# Hats\n\nBy hand.\n")
        archive.writestr(f"{top}categories.json", '[{"name": "Returns", "icon": "undo"}, {"name": "Care"}]')
        archive.writestr(f"{top}care/deep/categories.json", '[{"name": "Not of the export"}]')
    assert run(file, "--dry-run")["categories"] == 2
    assert looks() == []
    assert run(file)["categories"] == 2
    assert [look[0::3] for look in looks()] == [("Returns", "undo"), ("Care", "")]
    with ZipFile(file, "w") as archive:
        for number in range(12):
            archive.writestr(f"folder{number}/categories.json", f'[{{"name": "Folder {number}"}}]')
    assert run(file)["categories"] == 10
    file.write_bytes(file.read_bytes()[:40])
    report = run(file)
    assert (report["failed"], report.get("categories")) == (1, None)


def test_an_unreadable_file_of_categories_is_reported_and_stores_nothing(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "hat.md").write_text("# Hats\n\nBy hand.\n")
    for written in (
        '[{"name": 1}]',
        '[{"name": "A", "icon": "rocket"}]',
        '[{"name": "A", "translations": {"de": {"name": "B"}, "de-AT": {"name": "C"}}}]',
    ):
        (tmp_path / "categories.json").write_text(written)
        report = run(tmp_path)
        assert (report["failed"], report.get("categories"), looks()) == (1, None, []), written
    assert "Leave out “de-AT”" in next(iter(failures(report).values()))
    assert Article.objects.get().is_live
    (tmp_path / "categories.json").write_text('[{"name": "A", "description": "' + "x" * 201 + '"}, {"name": "B"}]')
    report = run(tmp_path)
    assert (report["failed"], report["categories"], [look[0] for look in looks()]) == (1, 1, ["B"])
    assert "longer than 200 characters" in next(iter(failures(report).values()))


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "written",
    [
        b"{}",
        b'[{"id": 7, "name": "Boots"}]',
        b"[1, 2]",
        b"[",
        b"[" + b"9" * 4_301 + b"]",
        "[{“name”: 1}]".encode("utf-16"),
        b"[" * 200_000,
        b'[{"name": "A"}]' + b" " * 1_000_000,
    ],
    ids=["object", "other fields", "numbers", "cut", "long number", "UTF-16", "deep", "large"],
)
def test_a_file_of_the_same_name_from_elsewhere_is_ignored(
    workspace: Workspace, tmp_path: Path, written: bytes
) -> None:
    (tmp_path / "hat.md").write_text("# Hats\n\nBy hand.\n")
    (tmp_path / "categories.json").write_bytes(written)
    errors = io.StringIO()
    call_command("kb_import", str(tmp_path), stdout=io.StringIO(), stderr=errors)  # raises CommandError if items fail
    assert f"{tmp_path / 'categories.json'}: ignored, because kb_export did not write it." in errors.getvalue()
    assert Article.objects.get().is_live and looks() == []


def test_drafts_do_not_rearrange_the_help_pages(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "categories.json").write_text('[{"name": "A"}]')
    (tmp_path / "hat.md").write_text("# Hats\n\nBy hand.\n")
    assert "categories" not in run(tmp_path, "--draft")
    assert looks() == []


def looks() -> list[tuple[object, ...]]:
    return list(Category.objects.values_list("name", "former_names", "description", "icon", "translations"))
