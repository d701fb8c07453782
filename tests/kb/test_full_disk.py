"""A disk that fills up while a source is read: the file has a reason, the others are read, nothing stored is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from django.core.management import CommandError
from django.db import connection

from kb.importing import confinement
from kb.models import Article, Picture, SourceItem, SourceRun
from kb.sources import run_worker
from kb.sources.services import SourceChanges, add_source
from kb.sources.uploads import add_files
from supportbot.accounts.models import Workspace
from tests.console.test_firststeps import png
from tests.kb.import_command import counts as imported
from tests.kb.import_command import failures, run
from tests.kb.made_files import docx, p, zipped
from tests.kb.source_commands import add, again, counts, live, reasons
from tests.kb.test_api import ARTICLE, program

FULL = Path("/dev/full")  # writing to it fails as on a full disk
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FULL.exists(), reason="needs a device without space"),
]


@contextmanager
def full_database(table: str, word: str) -> Iterator[None]:
    """Let PostgreSQL have no space for rows of this table that contain a word."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION is_full_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW "
            f"WHEN (to_jsonb(NEW)::text LIKE '%{word}%') EXECUTE FUNCTION is_full_{table}()"
        )
    try:
        yield
    finally:  # what a transactional test leaves behind would fail every later test in this database
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER is_full ON {table}; DROP FUNCTION is_full_{table}()")


@pytest.mark.long
@pytest.mark.parametrize(("table", "word"), [("kb_revision", "three"), ("kb_picture", "")])
def test_a_database_without_space_fails_one_file_and_keeps_what_it_has(papers: Path, table: str, word: str) -> None:
    add(papers)
    (papers / "red.png").write_bytes(png())
    (papers / "three.md").write_text("# Paper three\n\nNewer words of three. ![Red](red.png)\n")
    (papers / "two.md").write_text("# Paper two\n\nNewer words of two.\n")
    with full_database(table, word):
        told = again()
    assert (told["state"], counts(told)[:3]) == ("done", (0, 1, 3))
    assert reasons(told)["three.md"] == "The page or file cannot be stored (No space left on device)."
    assert len(live()) == 5, "the text that was there stays"
    assert "Words of three" in Article.objects.get(external_id="three.md").live_revision.body
    assert not Picture.objects.exists()

    assert counts(again())[:3] == (0, 1, 4)
    assert "Newer words of three" in Article.objects.get(external_id="three.md").live_revision.body
    assert Picture.objects.count() == 1


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_database_without_space_even_for_the_reason_ends_the_run_with_it(papers: Path) -> None:
    add(papers)
    (papers / "three.md").write_text("# Paper three\n\nNewer words of three.\n")
    refused = pytest.raises(CommandError, match=r"The page or file cannot be stored \(No space left on device\)")
    with full_database("kb_revision", "three"), full_database("kb_sourceitem", '"failed"'), refused:
        again()
    assert SourceRun.objects.latest("id").state == "failed"
    assert len(live()) == 5, "the text that was there stays"

    assert again()["state"] == "done"
    assert "Newer words of three" in Article.objects.get(external_id="three.md").live_revision.body


@pytest.mark.long
def test_an_uploaded_file_that_cannot_be_unpacked_stays_with_its_source(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = add_source("uploads", SourceChanges(name="Files", collection="Care"))
    add_files(source, [("a.md", b"# A\n\nWords of A.\n"), ("b.html", b"<h1>B</h1><p>Words of B.</p>")])

    @contextmanager
    def full(**named: Any) -> Iterator[str]:
        (tmp_path / "upload.md").symlink_to(FULL)
        yield str(tmp_path)

    with monkeypatch.context() as patched:
        patched.setattr(run_worker, "TemporaryDirectory", full)
        told = again("Files")
    assert reasons(told) == {"a.md": "The page or file cannot be stored (No space left on device)."}
    assert live() == {"B"}
    assert SourceItem.objects.get(key="a.md").state == "failed"
    assert counts(again("Files"))[:3] == (1, 0, 1)
    assert live() == {"A", "B"}


@pytest.mark.usefixtures("new_reader")
@pytest.mark.parametrize(
    ("name", "content"),
    [("a.docx", docx(p("Pegs are sold one by one."))), ("a.zip", zipped({"c.md": b"# C\n\nWords of C.\n"}))],
)
def test_a_full_disk_in_a_confined_reader_is_reported_in_words(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    def full(**named: Any) -> IO[bytes]:
        return FULL.open("w+b")

    monkeypatch.setattr(confinement, "TemporaryFile", full)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.md").write_text("# B\n\nFine.")
    report = run(tmp_path)
    assert imported(report) == (1, 0, 0, 1)
    assert failures(report)[name].startswith("The disk is full, so the file was not read. Free some space")


def test_a_program_is_told_that_the_databases_disk_is_full(workspace: Workspace) -> None:
    with full_database("kb_revision", "Norway"):
        answer = program(workspace).post("articles", ARTICLE)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_space")
    assert "Free some space" in answer.json()["message"]
    assert not Article.objects.exists()
