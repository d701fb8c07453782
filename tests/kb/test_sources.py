"""Sources, as an operator uses them: folders and files are read, changed, lost and read again."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from kb.importing.confinement import facts_and_contents
from kb.importing.loaders import formats
from kb.models import Article, Revision, Source, SourceItem, SourceRun
from kb.services import Change, archive, publish, save_draft
from kb.sources import runs, storing, sync
from kb.sources.errors import Unreadable
from kb.sources.files import Folder
from kb.sources.ports import Place, Read
from kb.sources.selectors import listed_sources
from kb.sources.services import Wish, add_files, add_source, change_source, delete_source, remove_file
from kb.tasks import sweep
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.console.test_firststeps import png
from tests.kb.made_files import Text, docx, p, pdf, zipped
from tests.kb.source_commands import add, again, command, counts, live, reasons

pytestmark = pytest.mark.django_db
LONG_LINE = 1_000_000  # bytes


def test_only_changes_in_a_folder_are_read_again(papers: Path, embedder: HashEmbedder) -> None:
    assert counts(add(papers, "--name", "Papers")) == (5, 0, 0, 0, 0, 0)
    assert set(SourceItem.objects.values_list("state", flat=True)) == {"ready"}
    article = Article.objects.get(external_id="one.md")
    assert (article.origin, article.source_item.key) == ("Papers: one.md", "one.md")
    embedder.embedded.clear()
    assert counts(again()) == (0, 0, 5, 0, 0, 0)
    assert (embedder.embedded, Revision.objects.count()) == ([], 5)
    (papers / "one.md").write_text("# Paper one\n\nOther words.\n")
    (papers / "six.md").write_text("# Paper six\n\nWords of six.\n")
    (papers / "two.md").unlink()
    (papers / "bad.md").write_bytes(b"\xff\xfe\x00 no text")
    told = again()
    assert counts(told) == (1, 1, 3, 1, 1, 0)
    assert "not UTF-8" in reasons(told)["bad.md"] or "not text" in reasons(told)["bad.md"]
    assert live() == {"Paper one", "Paper three", "Paper four", "Paper five", "Paper six"}
    (papers / "two.md").write_text("# Paper two\n\nWords of two.\n")
    assert counts(again()) == (0, 1, 5, 0, 1, 0)
    assert "Paper two" in live()


def test_a_dry_run_reports_and_stores_nothing(papers: Path) -> None:
    command("source_add", str(papers), "--no-sync")
    assert counts(again("--dry-run")) == (5, 0, 0, 0, 0, 0)
    assert not Article.objects.exists()
    assert counts(again()) == (5, 0, 0, 0, 0, 0)
    (papers / "one.md").write_text("# Paper one\n\nOther words.\n")
    (papers / "two.md").unlink()
    (papers / "copy.md").write_text("# Paper three\n\nWords of three.\n")
    for _ in range(2):  # the same result again, since a dry run stores nothing
        told = again("--dry-run")
        assert counts(told) == (0, 1, 3, 1, 0, 1)
    assert "same text as three.md" in reasons(told)["copy.md"]
    assert (len(live()), Revision.objects.count()) == (5, 5)
    assert counts(again()) == (0, 1, 3, 1, 0, 1)
    assert len(live()) == 4


def test_a_sudden_loss_waits_for_a_person(papers: Path) -> None:
    add(papers)
    (papers / "one.md").unlink()
    (papers / "two.md").unlink()
    (papers / "six.md").write_text("# Paper six\n\nWords of six.\n")
    assert again()["state"] == "unconfirmed"
    assert len(live()) == 6  # new articles are there, and none are gone
    source = Source.objects.get()
    runs.keep_lost(source)
    assert len(live()) == 6
    assert again("--archive-lost")["archived"] == 2
    assert (len(live()), SourceRun.objects.latest("id").state) == (4, "done")
    with pytest.raises(runs.NothingToConfirm):
        runs.confirm_loss(source)


@pytest.mark.django_db(transaction=True)
def test_articles_of_a_removed_file_are_archived_in_a_workers_own_transaction(papers: Path) -> None:
    add(papers)
    (papers / "three.md").unlink()
    told = again()
    assert (told["state"], told["gone"]) == ("done", 1)
    assert "Paper three" not in live()


@pytest.mark.parametrize("name", ["a-first.md", "x-last.md"])
def test_a_renamed_file_stays_live(papers: Path, name: str) -> None:
    add(papers)
    before = live()
    (papers / "three.md").rename(papers / name)
    told = again()
    assert (told["new"], told["gone"], told["left_out"]) == (1, 1, 0)
    assert live() == before
    assert Article.objects.filter(state="live", live_revision__body__contains="Words of three").count() == 1


def test_an_unmounted_folder_changes_nothing(papers: Path, tmp_path_factory: Any) -> None:
    add(papers)
    papers.rename(papers.parent / "elsewhere")
    with pytest.raises(CommandError, match="does not exist on this machine"):
        again()
    assert len(live()) == 5


def test_a_killed_run_resumes_where_it_was(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run = runs.begin(Source.objects.get())
    store, seen = sync.store, list[str]()

    def killed(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        seen.append(item.key)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return store(source, item, *args, **more)

    monkeypatch.setattr(sync, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        sync.serve(run.workspace_pk, run.pk)
    assert sync.serve(run.workspace_pk, run.pk) is False  # its lease has not expired
    assert (len(live()), SourceItem.objects.filter(state="cutting").count()) == (2, 1)
    SourceRun.objects.update(lease_until=now() - timedelta(seconds=1))
    assert sync.runs_to_serve() == [(run.workspace_pk, run.pk)]
    sync.serve(run.workspace_pk, run.pk)
    run.refresh_from_db()
    assert (run.state, run.counts["new"], Revision.objects.count()) == ("done", 5, 5)
    assert len(seen) == 6  # only the interrupted item was read twice


def test_a_file_that_kills_its_worker_each_time_is_given_up(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, store = runs.begin(Source.objects.get()), sync.store

    def deadly(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        if item.key == "four.md":
            raise KeyboardInterrupt
        return store(source, item, *args, **more)

    monkeypatch.setattr(sync, "store", deadly)
    for _ in range(sync.MOST_TRIES):
        with pytest.raises(KeyboardInterrupt):
            sync.serve(run.workspace_pk, run.pk)
        SourceRun.objects.update(lease_until=None)
    sync.serve(run.workspace_pk, run.pk)
    assert SourceItem.objects.get(key="four.md").state == "failed"
    assert len(live()) == 4


def test_an_unexpected_error_of_a_reader_delays_no_other(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, store = runs.begin(Source.objects.get()), sync.store

    def failing(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        if item.key == "four.md":
            raise RecursionError
        return store(source, item, *args, **more)

    monkeypatch.setattr(sync, "store", failing)
    for _ in range(sync.MOST_TRIES + 1):
        sync.serve(run.workspace_pk, run.pk)
        SourceRun.objects.filter(state="running").update(due_at=None)
    run.refresh_from_db()
    assert (run.state, run.counts["broken"], len(live())) == ("done", 1, 4)


def test_a_listing_with_an_unexpected_error_is_given_up(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, pauses = runs.begin(Source.objects.get()), []

    def failing(turn: sync.Turn) -> None:
        raise RecursionError

    monkeypatch.setattr(sync.Turn, "_list", failing)
    for _ in range(sync.MOST_TRIES):
        sync.serve(run.workspace_pk, run.pk)
        run.refresh_from_db()
        pauses.append(run.due_at - now() if run.due_at else None)
        SourceRun.objects.filter(state="running").update(due_at=None)
    assert (run.state, run.reason) == ("failed", "Several attempts failed.")
    assert pauses[2] > pauses[1] > pauses[0] > timedelta(seconds=15)
    assert pauses[3] is None


def test_a_source_was_last_read_when_a_run_last_ended(papers: Path) -> None:
    add(papers)
    ended = listed_sources().get().run_at
    runs.begin(Source.objects.get())
    source = listed_sources().get()
    assert source.run_state == "queued"
    assert source.run_at == ended is not None


def test_files_read_by_an_older_reader_are_read_again(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(papers)
    assert counts(again()) == (0, 0, 5, 0, 0, 0)
    item = SourceItem.objects.filter(key="one.md")
    item.update(content_hash="1:older", text_hash="other", etag="kept")
    assert sync._known(item.get()).etag == ""
    assert counts(again()) == (0, 0, 5, 0, 0, 0)
    assert item.get().content_hash.startswith(f"{storing.READERS}:")


def test_cancelling_stops_after_the_current_item(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    source, store = Source.objects.get(), sync.store
    run = runs.begin(source)
    with pytest.raises(runs.SourceBusy):
        runs.begin(source)

    def cancelling(*args: Any, **more: Any) -> Any:
        runs.cancel(source)
        return store(*args, **more)

    monkeypatch.setattr(sync, "store", cancelling)
    assert sync.serve(run.workspace_pk, run.pk) is False
    run.refresh_from_db()
    assert (run.state, len(live())) == ("cancelled", 1)
    monkeypatch.undo()
    assert counts(again()) == (4, 0, 1, 0, 0, 0)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("step", ["fetch", "read"])
def test_a_preview_cancelled_while_an_item_is_read_takes_nothing_from_the_next_run(
    papers: Path, monkeypatch: pytest.MonkeyPatch, step: str, fails: bool
) -> None:
    command("source_add", str(papers), "--no-sync")
    source, done = Source.objects.get(), getattr(Folder, step)
    preview = runs.begin(source, runs.Mode.CHECK)

    def slow(*args: Any) -> Any:
        got = done(*args)
        after = runs.end_preview(source)
        SourceItem.objects.filter(source=source).update(run=after, state="queued", outcome="", tries=0)
        if fails:
            raise Unreadable("Too late.")
        return replace(got, found=(Place("two.md"),)) if isinstance(got, Read) else got

    monkeypatch.setattr(Folder, step, slow)
    assert sync.serve(preview.workspace_pk, preview.pk) is False
    preview.refresh_from_db()
    assert preview.state == "cancelled" and not SourceItem.objects.filter(run=preview).exists()
    assert set(SourceItem.objects.values_list("state", "outcome")) == {("queued", "")}


def test_an_unchanged_item_of_a_cancelled_run_is_left_to_the_next_one(
    papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(papers)
    source, done = Source.objects.get(), Folder.fetch
    run = runs.begin(source, runs.Mode.CHECK)

    def slow(*args: Any) -> Any:
        after = runs.end_preview(source)
        SourceItem.objects.filter(source=source).update(run=after, state="queued", outcome="", tries=0)
        return done(*args)

    monkeypatch.setattr(Folder, "fetch", slow)
    assert sync.serve(run.workspace_pk, run.pk) is False
    assert set(SourceItem.objects.values_list("state", "outcome")) == {("queued", "")}


def test_an_unchanged_item_costs_two_statements(papers: Path) -> None:
    add(papers)
    few = _statements_of_a_run()
    for number in range(8):
        (papers / f"more{number}.md").write_text(f"# More {number}\n\nWords {number}.\n")
    again()
    assert _statements_of_a_run() - few <= 2 * 8


def _statements_of_a_run() -> int:
    run = runs.begin(Source.objects.get())
    with CaptureQueriesContext(connection) as statements:
        sync.serve(run.workspace_pk, run.pk)
    run.refresh_from_db()
    assert (run.state, set(run.counts)) == ("done", {"unchanged"})
    return len(statements)


def test_changes_by_people_to_an_article_stay(papers: Path) -> None:
    add(papers)
    archive(Article.objects.get(external_id="one.md").pk)
    save_draft(Article.objects.get(external_id="two.md").pk, Change(body="An editor's words.\n"))
    for file in papers.iterdir():
        file.write_text(file.read_text() + "\n")  # other bytes, the same text
    again()
    assert Article.objects.get(external_id="two.md").latest_revision.body == "An editor's words.\n"
    assert "Paper one" not in live()
    (papers / "one.md").write_text("# Paper one\n\nOther words.\n")
    assert "was archived here" in reasons(again())["one.md"]
    assert "Paper one" not in live()


def test_another_sources_article_is_not_taken_over(papers: Path, tmp_path_factory: Any) -> None:
    add(papers)
    other = tmp_path_factory.mktemp("other")
    (other / "one.md").write_text("# Mine\n\nMine.\n")
    told = add(other, "--name", "Other")
    assert counts(told) == (0, 0, 0, 0, 1, 0)
    assert "already comes from another source" in reasons(told)["one.md"]


def test_rows_that_vanish_from_a_file_are_archived(tmp_path: Path, workspace: Workspace) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("question,answer\nHow long?,Two days.\nHow much?,Five euros.\n")
    add(table)
    assert live() == {"How long?", "How much?"}
    table.write_text("question,answer\nHow long?,Three days.\n")
    assert again()["changed"] == 1
    assert live() == {"How long?"}


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


def test_only_changed_files_of_a_zip_are_read_again(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(kind: Any, file: Path) -> Any:
        read.append(kind)
        return facts_and_contents(kind, file)

    monkeypatch.setattr(formats, "facts_and_contents", counted)
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
        patch.setattr(storing, "_link", killed)
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


def test_uploaded_files_can_be_added_and_removed(workspace: Workspace, embedder: HashEmbedder) -> None:
    source = add_source("uploads", Wish(name="Files", collection="Care"))
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


def test_pictures_that_a_text_uses_are_not_listed_as_broken(workspace: Workspace) -> None:
    source = add_source("uploads", Wish(name="Files", collection="Care"))
    add_files(source, [("my red.png", png()), ("holiday.png", png()), ("plan.pdf", b"no PDF")])
    told = again("Files")
    assert (told["broken"], reasons(told)["my red.png"].partition(".")[0]) == (3, "Files of this kind cannot be read")
    texts = [("guide/a.md", b"# A\n\n![Red](../my%20red.png)\n"), ("b.HTML", b"<h1>B</h1><img src='Blue.JPG'>Words.")]
    add_files(source, [*texts, ("blue.jpg", b"\xff\xd8\xff torn")])
    told = again("Files")
    assert counts(told) == (2, 0, 0, 0, 2, 0)
    assert {"holiday.png", "plan.pdf"} <= set(reasons(told)) and "my red.png" not in reasons(told)
    assert "/pictures/" in Article.objects.get(external_id="guide/a.md").live_revision.body


@pytest.mark.parametrize(
    "text",
    [
        "![Red](image%20(1).png) ![Two](two(2).png)![Three](three.png)",
        "![Red](<image (1).png>) (see ![Two](two(2).png), ![Three](three.png))",
        "<p><img src='image (1).png'><img src=\"two(2).png\"> (three.png)</p>",
    ],
)
def test_names_of_pictures_may_contain_brackets(workspace: Workspace, text: str) -> None:
    source = add_source("uploads", Wish(name="Files", collection="Care"))
    add_files(source, [(name, png()) for name in ("image (1).png", "two(2).png", "three.png")])
    add_files(source, [("a.md", f"# A\n\nWords. {text}\n".encode())])
    assert counts(told := again("Files")) == (1, 0, 0, 0, 0, 0), reasons(told)


@pytest.mark.parametrize("run", [b"a", b"%2F", b".pn"])
def test_a_long_line_without_spaces_is_searched_quickly_for_names_of_pictures(workspace: Workspace, run: bytes) -> None:
    source = add_source("uploads", Wish(name="Files", collection="Care"))
    begin = time.monotonic()
    page = b"<h1>A</h1><p>Words.</p><script>" + run * (LONG_LINE // len(run)) + b"</script>"
    add_files(source, [("red.png", png()), ("a.html", page)])
    assert set(reasons(again("Files"))) == {"red.png"}
    assert time.monotonic() - begin < 20  # seconds; formerly hours


def test_settings_reach_the_articles(papers: Path) -> None:
    add(papers, "--draft")
    assert not live()
    source = Source.objects.select_related("collection").get()
    change_source(source, Wish(publishes=True, collection="Shelf", audience="internal"))
    again()
    assert len(live()) == 5
    assert set(Article.objects.values_list("collection__name", "audience")) == {("Shelf", "internal")}


@pytest.mark.parametrize("archives", [True, False])
def test_deleting_a_source_keeps_or_archives_its_articles(papers: Path, archives: bool) -> None:
    add(papers, "--name", "Papers")
    assert delete_source(Source.objects.select_related("collection").get(), archives=archives) == 5
    assert len(live()) == (0 if archives else 5)
    assert Article.objects.get(external_id="one.md").origin == "Papers: one.md"
    assert not SourceItem.objects.exists() and not SourceRun.objects.exists()


def test_a_schedule_starts_runs_and_a_busy_source_waits(papers: Path) -> None:
    add(papers, "--every", "hour")
    assert runs.begin_scheduled() == 0
    Source.objects.update(due_at=now() - timedelta(minutes=1))
    assert runs.begin_scheduled() == 1
    Source.objects.update(due_at=now() - timedelta(minutes=1))
    assert runs.begin_scheduled() == 0
    assert SourceRun.objects.filter(state="queued").count() == 1
    assert now() < Source.objects.get().due_at < now() + timedelta(hours=1, seconds=5)


def test_nothing_is_lost_if_the_embedding_model_fails(papers: Path, embedder: HashEmbedder) -> None:
    embedder.fail_after(0)
    assert add(papers)["state"] == "done"
    assert set(SourceItem.objects.values_list("state", flat=True)) == {"embedding"}
    embedder.recover()
    sweep()
    assert storing.settle_embedded() == 5


def test_invalid_settings_are_refused_with_a_message(workspace: Workspace) -> None:
    with pytest.raises(CommandError, match="neither a web address nor a file"):
        add("nonsense")
    with pytest.raises(CommandError, match="must use https"):
        add("http://help.example/")
    with pytest.raises(CommandError, match="neither on the public internet"):
        add("https://169.254.169.254/latest/")
    with pytest.raises(CommandError, match="between 1 and"):
        add("https://help.example/", "--most", "0")
    assert not Source.objects.exists()
