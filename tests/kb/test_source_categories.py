"""The categories of an export that is read as a source."""

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from kb.importing import confinement
from kb.models import Category
from kb.sources.files import Folder
from kb.sources.models import Source
from kb.sources.services import SourceChanges, add_source
from kb.sources.uploads import add_files
from supportbot.accounts.models import Workspace
from tests.kb.source_commands import add, again, command, counts, live

pytestmark = pytest.mark.django_db

ARRANGED = '[{"name": "Returns", "icon": "undo"}, {"name": "Care"}]'


def arrangement() -> list[tuple[str, str]]:
    return list(Category.objects.values_list("name", "icon"))


@pytest.mark.long
def test_the_categories_of_an_export_are_stored_when_they_change(papers: Path) -> None:
    (papers / "categories.json").write_text(ARRANGED)
    command("source_add", str(papers), "--no-sync")
    assert again("--dry-run")["new_categories"] == ["Returns", "Care"]
    assert arrangement() == []
    assert (counts(again()), arrangement()) == ((5, 0, 0, 0, 0, 0), [("Returns", "undo"), ("Care", "")])
    Category.objects.filter(name="Returns").update(icon="box")  # in the console
    again()
    assert arrangement()[0] == ("Returns", "box")
    (papers / "categories.json").write_text('[{"name": "Care"}, {"name": "A", "icon": "rocket"}, {"name": "B"}]')
    told = again()
    assert (told["state"], arrangement()) == ("done", [("Care", ""), ("B", ""), ("Returns", "box")])
    assert "categories.json: 2: Choose one of these icons" in told["reason"]
    assert again()["reason"] == told["reason"]
    (papers / "categories.json").write_text('{"of": "another program"}')
    assert "ignored, because kb_export did not write it" in again()["reason"]
    (papers / "categories.json").unlink()
    assert (again()["reason"], len(arrangement())) == ("", 3)


@pytest.mark.long
def test_the_previous_version_can_read_a_source_without_categories(papers: Path) -> None:
    add(papers)
    [source] = Source.objects.all()
    assert source.memory["categories"]["problems"] == ""


@pytest.mark.long
def test_unreadable_categories_are_reported_and_stored_by_the_next_run(
    papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (papers / "categories.json").write_text(ARRANGED)
    with monkeypatch.context() as full:

        def fails(folder: Folder) -> None:
            raise OSError(28, "No space left on device")

        full.setattr(Folder, "categories", fails)
        told = add(papers)
    assert (told["state"], told["reason"]) == ("done", "Categories cannot be read (No space left on device).")
    assert (arrangement(), len(live())) == ([], 5)
    again()
    assert arrangement() == [("Returns", "undo"), ("Care", "")]


@pytest.mark.long
def test_categories_are_stored_while_a_loss_waits_for_a_person(papers: Path) -> None:
    add(papers)
    (papers / "categories.json").write_text(ARRANGED)
    for name in ("one", "two", "three"):
        (papers / f"{name}.md").unlink()
    assert (again()["state"], arrangement()) == ("unconfirmed", [("Returns", "undo"), ("Care", "")])


@pytest.mark.long
def test_categories_behind_a_link_out_of_the_folder_are_not_read(
    papers: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "categories.json"
    outside.write_text(ARRANGED)
    (papers / "categories.json").symlink_to(outside)
    add(papers)
    assert (arrangement(), len(live())) == ([], 5)


@pytest.mark.long
def test_drafts_of_a_source_do_not_rearrange_the_help_pages(papers: Path) -> None:
    (papers / "categories.json").write_text(ARRANGED)
    add(papers, "--draft")
    assert (arrangement(), live()) == ([], set())


def test_categories_of_an_uploaded_export_are_read(workspace: Workspace) -> None:
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("export/care/hat.md", "# Hats\n\nBy hand.\n")
        archive.writestr("export/categories.json", ARRANGED)
    source = add_source("uploads", SourceChanges())
    assert add_files(source, [("export.zip", packed.getvalue())]) == []
    assert (counts(again()), arrangement()) == ((1, 0, 0, 0, 0, 0), [("Returns", "undo"), ("Care", "")])


@pytest.mark.long
def test_a_dry_run_names_the_categories_that_articles_would_add(papers: Path) -> None:
    Category.objects.create(name="Care", former_names=["Cleaning"])
    for number, name in enumerate(("Care", "Cleaning", "Repairs")):
        (papers / f"more{number}.md").write_text(f"---\ncategory: {name}\n---\n# Paper {number}\n\nText {number}.\n")
    command("source_add", str(papers), "--no-sync")
    told = again("--dry-run")
    assert (told["new_categories"], arrangement()) == (["Repairs"], [("Care", "")])
    assert "new_categories" not in again()
    assert arrangement() == [("Care", ""), ("Repairs", "")]
    assert again("--dry-run")["new_categories"] == []


@pytest.mark.long
def test_a_zip_file_is_unpacked_only_when_it_has_changed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, begun = tmp_path / "export.zip", list[str]()

    def write(arranged: str) -> None:
        with ZipFile(file, "w") as archive:
            archive.writestr("care/hat.md", "# Hats\n\nBy hand.\n")
            archive.writestr("categories.json", arranged)

    def counted(kind: str, *streams: Any) -> int:
        begun.append(kind)
        return run(kind, *streams)  # type: ignore[arg-type]

    run = confinement._run
    monkeypatch.setattr(confinement, "_run", counted)
    write(ARRANGED)
    add(file)
    assert arrangement() == [("Returns", "undo"), ("Care", "")]
    begun.clear()
    again("--dry-run")
    again()
    assert begun == []
    write('[{"name": "Care"}, {"name": "Repairs"}]')
    assert again("--dry-run")["new_categories"] == ["Repairs"]
    again()
    assert (begun != [], arrangement()) == (True, [("Care", ""), ("Repairs", ""), ("Returns", "undo")])
