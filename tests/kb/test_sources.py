"""Sources, as an operator uses them: folders are read, changed, lost and read again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from kb.models import Article, Revision, Source, SourceItem, SourceRun
from kb.services import Change, archive, save_draft
from kb.sources import archiving, item_import, run_worker, runs
from kb.sources.errors import NothingToConfirm, Unreadable
from kb.sources.files import Folder
from kb.sources.ports import Place, Read
from kb.sources.selectors import listed_sources
from kb.sources.services import SourceChanges, change_source, delete_source
from kb.tasks import sweep
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.source_commands import add, again, command, counts, live, reasons

pytestmark = pytest.mark.django_db


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


@pytest.mark.long
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


@pytest.mark.long
def test_a_sudden_loss_waits_for_a_person(papers: Path) -> None:
    add(papers)
    (papers / "one.md").unlink()
    (papers / "two.md").unlink()
    (papers / "six.md").write_text("# Paper six\n\nWords of six.\n")
    assert again()["state"] == "unconfirmed"
    assert len(live()) == 6  # new articles are there, and none are gone
    source = Source.objects.get()
    archiving.keep_lost(source)
    assert len(live()) == 6
    assert again("--archive-lost")["archived"] == 2
    assert (len(live()), SourceRun.objects.latest("id").state) == (4, "done")
    with pytest.raises(NothingToConfirm):
        archiving.confirm_loss(source)


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_articles_of_a_removed_file_are_archived_in_a_workers_own_transaction(papers: Path) -> None:
    add(papers)
    (papers / "three.md").unlink()
    told = again()
    assert (told["state"], told["gone"]) == ("done", 1)
    assert "Paper three" not in live()


@pytest.mark.long
@pytest.mark.parametrize("name", ["a-first.md", "x-last.md"])
def test_a_renamed_file_stays_live(papers: Path, name: str) -> None:
    add(papers)
    before = live()
    (papers / "three.md").rename(papers / name)
    told = again()
    assert (told["new"], told["gone"], told["left_out"]) == (1, 1, 0)
    assert live() == before
    assert Article.objects.filter(state="live", live_revision__body__contains="Words of three").count() == 1


@pytest.mark.long
def test_an_unmounted_folder_changes_nothing(papers: Path, tmp_path_factory: Any) -> None:
    add(papers)
    papers.rename(papers.parent / "elsewhere")
    with pytest.raises(CommandError, match="does not exist on this machine"):
        again()
    assert len(live()) == 5


def test_a_killed_run_resumes_where_it_was(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run = runs.begin(Source.objects.get())
    store, seen = run_worker.store, list[str]()

    def killed(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        seen.append(item.key)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return store(source, item, *args, **more)

    monkeypatch.setattr(run_worker, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        run_worker.serve(run.workspace_pk, run.pk)
    assert run_worker.serve(run.workspace_pk, run.pk) is False  # its lease has not expired
    assert (len(live()), SourceItem.objects.filter(state="cutting").count()) == (2, 1)
    SourceRun.objects.update(lease_until=now() - timedelta(seconds=1))
    assert run_worker.runs_to_serve() == [(run.workspace_pk, run.pk)]
    run_worker.serve(run.workspace_pk, run.pk)
    run.refresh_from_db()
    assert (run.state, run.counts["new"], Revision.objects.count()) == ("done", 5, 5)
    assert len(seen) == 6  # only the interrupted item was read twice


@pytest.mark.long
def test_a_file_that_kills_its_worker_each_time_is_abandoned(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, store = runs.begin(Source.objects.get()), run_worker.store

    def deadly(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        if item.key == "four.md":
            raise KeyboardInterrupt
        return store(source, item, *args, **more)

    monkeypatch.setattr(run_worker, "store", deadly)
    for _ in range(run_worker.MOST_TRIES):
        with pytest.raises(KeyboardInterrupt):
            run_worker.serve(run.workspace_pk, run.pk)
        SourceRun.objects.update(lease_until=None)
    run_worker.serve(run.workspace_pk, run.pk)
    assert SourceItem.objects.get(key="four.md").state == "failed"
    assert len(live()) == 4


@pytest.mark.long
def test_an_unexpected_error_of_a_reader_delays_no_other(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, store = runs.begin(Source.objects.get()), run_worker.store

    def failing(source: Any, item: SourceItem, *args: Any, **more: Any) -> Any:
        if item.key == "four.md":
            raise RecursionError
        return store(source, item, *args, **more)

    monkeypatch.setattr(run_worker, "store", failing)
    for _ in range(run_worker.MOST_TRIES + 1):
        run_worker.serve(run.workspace_pk, run.pk)
        SourceRun.objects.filter(state="running").update(due_at=None)
    run.refresh_from_db()
    assert (run.state, run.counts["broken"], len(live())) == ("done", 1, 4)


def test_a_listing_with_an_unexpected_error_is_abandoned(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    run, pauses = runs.begin(Source.objects.get()), []

    def failing(time_slice: run_worker.TimeSlice) -> None:
        raise RecursionError

    monkeypatch.setattr(run_worker.TimeSlice, "_list", failing)
    for _ in range(run_worker.MOST_TRIES):
        run_worker.serve(run.workspace_pk, run.pk)
        run.refresh_from_db()
        pauses.append(run.due_at - now() if run.due_at else None)
        SourceRun.objects.filter(state="running").update(due_at=None)
    assert (run.state, run.reason) == ("failed", "Several attempts failed.")
    assert pauses[2] > pauses[1] > pauses[0] > timedelta(seconds=15)
    assert pauses[3] is None


@pytest.mark.long
def test_a_source_was_last_read_when_a_run_last_ended(papers: Path) -> None:
    add(papers)
    ended = listed_sources().get().run_at
    runs.begin(Source.objects.get())
    source = listed_sources().get()
    assert source.run_state == "queued"
    assert source.run_at == ended is not None


@pytest.mark.long
def test_files_read_by_an_older_reader_are_read_again(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(papers)
    assert counts(again()) == (0, 0, 5, 0, 0, 0)
    item = SourceItem.objects.filter(key="one.md")
    item.update(content_hash="1:older", text_hash="other", etag="kept")
    assert run_worker._known(item.get()).etag == ""
    assert counts(again()) == (0, 0, 5, 0, 0, 0)
    assert item.get().content_hash.startswith(f"{item_import.READERS}:")


@pytest.mark.long
def test_cancelling_stops_after_the_current_item(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command("source_add", str(papers), "--no-sync")
    source, store = Source.objects.get(), run_worker.store
    run = runs.begin(source)
    with pytest.raises(runs.SourceBusy):
        runs.begin(source)

    def cancelling(*args: Any, **more: Any) -> Any:
        runs.cancel(source)
        return store(*args, **more)

    monkeypatch.setattr(run_worker, "store", cancelling)
    assert run_worker.serve(run.workspace_pk, run.pk) is False
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
    assert run_worker.serve(preview.workspace_pk, preview.pk) is False
    preview.refresh_from_db()
    assert preview.state == "cancelled" and not SourceItem.objects.filter(run=preview).exists()
    assert set(SourceItem.objects.values_list("state", "outcome")) == {("queued", "")}


@pytest.mark.long
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
    assert run_worker.serve(run.workspace_pk, run.pk) is False
    assert set(SourceItem.objects.values_list("state", "outcome")) == {("queued", "")}


@pytest.mark.long
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
        run_worker.serve(run.workspace_pk, run.pk)
    run.refresh_from_db()
    assert (run.state, set(run.counts)) == ("done", {"unchanged"})
    return len(statements)


@pytest.mark.long
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


@pytest.mark.long
def test_another_sources_article_is_not_taken_over(papers: Path, tmp_path_factory: Any) -> None:
    add(papers)
    other = tmp_path_factory.mktemp("other")
    (other / "one.md").write_text("# Mine\n\nMine.\n")
    told = add(other, "--name", "Other")
    assert counts(told) == (0, 0, 0, 0, 1, 0)
    assert "already comes from another source" in reasons(told)["one.md"]


@pytest.mark.long
def test_settings_reach_the_articles(papers: Path) -> None:
    add(papers, "--draft")
    assert not live()
    source = Source.objects.select_related("collection").get()
    change_source(source, SourceChanges(publishes=True, collection="Shelf", audience="internal"))
    again()
    assert len(live()) == 5
    assert set(Article.objects.values_list("collection__name", "audience")) == {("Shelf", "internal")}


@pytest.mark.long
@pytest.mark.parametrize("archives", [True, False])
def test_deleting_a_source_keeps_or_archives_its_articles(papers: Path, archives: bool) -> None:
    add(papers, "--name", "Papers")
    assert delete_source(Source.objects.select_related("collection").get(), archives=archives) == 5
    assert len(live()) == (0 if archives else 5)
    assert Article.objects.get(external_id="one.md").origin == "Papers: one.md"
    assert not SourceItem.objects.exists() and not SourceRun.objects.exists()


@pytest.mark.long
def test_a_schedule_starts_runs_and_a_busy_source_waits(papers: Path) -> None:
    add(papers, "--every", "hour")
    assert runs.begin_scheduled() == 0
    Source.objects.update(due_at=now() - timedelta(minutes=1))
    assert runs.begin_scheduled() == 1
    Source.objects.update(due_at=now() - timedelta(minutes=1))
    assert runs.begin_scheduled() == 0
    assert SourceRun.objects.filter(state="queued").count() == 1
    assert now() < Source.objects.get().due_at < now() + timedelta(hours=1, seconds=5)


@pytest.mark.long
def test_nothing_is_lost_if_the_embedding_model_fails(papers: Path, embedder: HashEmbedder) -> None:
    embedder.fail_after(0)
    assert add(papers)["state"] == "done"
    assert set(SourceItem.objects.values_list("state", flat=True)) == {"embedding"}
    embedder.recover()
    sweep()
    assert item_import.settle_embedded() == 5


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
