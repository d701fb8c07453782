"""`kb_import` and `kb_export`, as an operator uses them."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from kb.errors import InvalidDocument
from kb.importing.loaders.markdown import split_front_matter
from kb.indexing.models import Chunk
from kb.models import Article, Collection, Revision, State
from kb.phrasings import phrasings_of
from kb.revisions import publish_articles, write_revisions
from kb.services import Change, archive, publish, save_draft
from kb.testing import HashEmbedder
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from tests.kb.import_command import counts, failures, run
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db


def test_files_of_a_folder_become_live_indexed_articles(folder: Path) -> None:
    report = run(folder)
    assert counts(report) == (4, 0, 0, 0)
    assert report["embedded"] == Chunk.objects.count() == Chunk.objects.exclude(embedding=None).count() == 4
    costs = Article.objects.get(external_id="0042")
    assert (costs.title, costs.url, costs.locale) == ("Costs: what you pay", "https://shop.example/costs", "de-de")
    assert (costs.audience, costs.category, costs.state) == ("signed_in", "Delivery", State.LIVE)
    assert costs.indexed_revision == 1
    titles = dict(Article.objects.values_list("external_id", "live_revision__title"))
    assert titles == {
        "0042": "Costs: what you pay",
        "times.md": "Delivery times",
        "plain-words.txt": "plain-words",
        "page.html": "Page",
    }


def test_a_second_import_changes_nothing(folder: Path, embedder: HashEmbedder) -> None:
    run(folder)
    embedder.embedded.clear()
    assert counts(run(folder)) == (0, 0, 4, 0)
    assert Revision.objects.count() == 4
    assert embedder.embedded == []


def test_an_import_updates_only_changed_articles(folder: Path) -> None:
    run(folder)
    (folder / "times.md").write_text("# Delivery times\n\nA parcel takes three days.\n")
    assert counts(run(folder)) == (0, 1, 3, 0)
    assert Article.objects.get(external_id="times.md").live_revision.number == 2
    assert Chunk.objects.filter(text__contains="three days").exclude(embedding=None).exists()


def test_metadata_missing_from_a_file_stays_unchanged(folder: Path) -> None:
    run(folder)
    save_draft(Article.objects.get(external_id="times.md").pk, Change(audience="internal", locale="de"))
    assert counts(run(folder)) == (0, 0, 4, 0)
    times = Article.objects.get(external_id="times.md")
    assert (times.audience, times.locale) == ("internal", "de")


def test_changed_metadata_makes_no_revision(folder: Path) -> None:
    run(folder)
    file = folder / "delivery" / "costs.md"
    file.write_text(file.read_text().replace("signed_in", "internal"))
    assert counts(run(folder)) == (0, 1, 3, 0)
    costs = Article.objects.get(external_id="0042")
    assert (costs.audience, Revision.objects.filter(article=costs).count()) == ("internal", 1)


def test_a_leading_empty_line_from_an_older_release_is_not_a_change(folder: Path) -> None:
    run(folder)
    times = Article.objects.select_related("latest_revision").get(external_id="times.md")
    assert times.latest_revision is not None
    write_revisions([(times, ArticleText(times.latest_revision.title, f"\n\n{times.latest_revision.body}"))])
    publish_articles([times])
    assert counts(run(folder, "--dry-run")) == counts(run(folder)) == (0, 0, 4, 0)
    save_draft(times.pk, Change(audience="internal"))
    assert Revision.objects.filter(article=times).count() == 2


def test_leading_empty_lines_are_not_stored(folder: Path) -> None:
    run(folder)
    bodies = Revision.objects.values_list("body", flat=True)
    assert [body for body in bodies if body.startswith("\n")] == []


def test_an_archived_article_that_is_imported_again_is_published_again(folder: Path) -> None:
    run(folder)
    archive(Article.objects.get(external_id="times.md").pk)
    assert counts(run(folder)) == (0, 1, 3, 0)
    assert Article.objects.get(external_id="times.md").state == State.LIVE


def test_the_final_error_says_whether_something_was_stored(workspace: Workspace, folder: Path) -> None:
    (folder / "broken.md").write_text("---\ntitle: [unclosed\n---\ntext\n")
    with pytest.raises(CommandError, match=r"^Failed items: 1, listed above\. They would not be imported\.$"):
        call_command("kb_import", str(folder), "--dry-run", stdout=io.StringIO())
    assert not Article.objects.exists()
    with pytest.raises(CommandError, match=r"^Failed items: 1, listed above\. They were not imported\.$"):
        call_command("kb_import", str(folder), stdout=io.StringIO(), stderr=io.StringIO())
    assert Article.objects.count() == 4


def test_a_dry_run_reports_and_stores_nothing(folder: Path) -> None:
    assert counts(run(folder, "--dry-run")) == (4, 0, 0, 0)
    assert not Article.objects.exists()
    run(folder)
    (folder / "times.md").write_text("Other words.")
    assert counts(run(folder, "--dry-run")) == (0, 1, 3, 0)
    assert counts(run(folder, "--dry-run", "--collection", "New shelf")) == (0, 4, 0, 0)
    assert not Collection.objects.filter(name="New shelf").exists()


def test_drafts_do_not_change_what_customers_read(folder: Path) -> None:
    run(folder, "--draft")
    assert set(Article.objects.values_list("state", flat=True)) == {State.DRAFT}
    run(folder)
    (folder / "times.md").write_text("# Delivery times\n\nA parcel takes three days.\n")
    assert counts(run(folder, "--draft")) == (0, 1, 3, 0)
    assert not Chunk.objects.filter(text__contains="three days").exists()
    assert counts(run(folder, "--draft")) == (0, 0, 4, 0)
    publish(Article.objects.get(external_id="times.md").pk)
    assert Chunk.objects.filter(text__contains="three days").exists()


@pytest.mark.long
def test_importing_a_draft_does_not_change_settings_that_apply_to_a_live_article(folder: Path) -> None:
    def written(*questions: str, more: str = "") -> None:
        listed = "".join(f"- {question}\n" for question in questions)
        text = "# Delivery times\n\nA parcel takes two days.\n"
        (folder / "times.md").write_text(f"---\nphrasings:\n{listed}{more}---\n{text}")

    def notes(report: dict[str, Any]) -> list[str]:
        return [note for item in report["items"] if item["external_id"] == "times.md" for note in item["notes"]]

    written("How long does it take?", "When will it come?")
    assert notes(run(folder, "--draft")) == []
    article = Article.objects.get(external_id="times.md")
    before = phrasings_of(article)
    assert before == ["How long does it take?", "When will it come?"], (
        "a draft has questions, but customers cannot ask them"
    )
    run(folder)
    written("When will it come?", "How long does it take?")
    assert counts(run(folder)) == counts(run(folder, "--dry-run")) == (0, 0, 4, 0), (
        "the order of questions does not matter"
    )
    acts = "page_address: times\ntranslation_of: page.html\n"
    for option in ("--dry-run", "--no-wait", "--draft"):
        written("Is it fast?", more=acts + ("" if option == "--draft" else "state: draft\n"))
        report = run(folder, option)
        assert counts(report) == (0, 0, 4, 0)
        [note] = notes(report)
        assert "page_address, phrasings, translation_of" in note
    same = Article.objects.get(pk=article.pk)
    assert (phrasings_of(same), same.slug, same.translation_of) == (before, article.slug, None)
    assert notes(run(folder)) == []
    changed = Article.objects.get(pk=article.pk)
    assert (phrasings_of(changed), changed.slug) == (["Is it fast?"], "times")
    assert changed.translation_of is not None and changed.translation_of.external_id == "page.html"


@pytest.mark.parametrize("option", ["--draft", "--no-wait", "--dry-run"])
def test_importing_a_draft_does_not_change_audience_and_metadata_of_a_live_article(folder: Path, option: str) -> None:
    run(folder)
    before = Article.objects.values().get(external_id="times.md")
    facts = "audience: internal\nlocale: de\ncategory: Parcels\nurl: https://shop.example/t\ncollection: Elsewhere\n"
    state = "" if option == "--draft" else "state: draft\n"
    (folder / "times.md").write_text(f"---\n{facts}{state}---\n# Delivery times\n\nA parcel takes three days.\n")
    report = run(folder, option)
    [item] = [item for item in report["items"] if item["external_id"] == "times.md"]
    assert item["outcome"] == "updated" and counts(report) == (0, 1, 3, 0)
    [note] = item["notes"]
    assert "url, locale, audience, category, collection" in note
    after = Article.objects.values().get(external_id="times.md")
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed <= {"latest_revision_id", "updated_at"}


def test_drafts_are_not_tested_by_the_gates(folder: Path) -> None:
    with pytest.raises(CommandError, match="drafts change nothing"):
        call_command("kb_import", str(folder), "--draft", "--gate")
    assert not Article.objects.exists()


def test_no_wait_leaves_the_vectors_to_the_worker(folder: Path, embedder: HashEmbedder) -> None:
    run(folder, "--no-wait")
    assert embedder.embedded == []
    assert Chunk.objects.filter(embedding=None).count() == 4
    run(folder)
    assert Chunk.objects.filter(embedding=None).count() == 0


def test_the_articles_go_into_the_collection(folder: Path) -> None:
    run(folder)
    assert set(Article.objects.values_list("collection__name", flat=True)) == {"General"}
    run(folder, "--collection", "Help")
    assert set(Article.objects.values_list("collection__name", flat=True)) == {"Help"}


def test_vectors_are_read_from_the_file_and_added_to_it(folder: Path, embedder: HashEmbedder, tmp_path: Path) -> None:
    file = tmp_path / "vectors.bin"
    assert run(folder, "--vectors", file)["embedded"] == 4
    Chunk.objects.update(embedding=None)
    embedder.embedded.clear()
    report = run(folder, "--vectors", file)
    assert (report["embedded"], report["reused"], embedder.embedded) == (0, 4, [])


BROKEN = {
    "unclosed.md": (b"---\ntitle: x\n\nText", "has no end"),
    "not-yaml.md": (b"---\ntitle: a: b: c\n---\nText", "(line 2, column 9). Put"),
    "open.md": (b"---\ntitle: x\ntags: [a, b\n---\nText", "(line 3, column 7). Put"),
    "bracket.md": (b"---\ntitle: [New\nurl: x\nlocale: en\n---\nText", "(line 2, column 8). Put"),
    "list.md": (b"---\n- a\n- b\n---\nText", "not a list of keys"),
    "nested.md": (b"---\ntitle: [a, b]\n---\nText", "not a single value"),
    "deep.md": (b"---\nx: " + b"[" * 1_000 + b"\n---\nText", "cannot be read"),
    "picture.md": (b"\x89PNG\r\n\x1a\n\x00\x00", "is a picture"),
    "latin.md": ("Gr\u00fc\u00dfe".encode("latin-1"), "not UTF-8"),
    "nul.md": (b"a\n\x00b", "NUL"),
    "empty.md": (b"", "empty"),
    "only-front.md": (b"---\ntitle: x\n---\n", "empty"),
    "huge.md": (b"x " * 1_000_001, "2,000,000"),
    "enormous.md": (b"x " * 4_000_001, "larger than"),
    "audience.md": (b"---\naudience: friends\n---\nText", "public, signed_in, internal"),
    "locale.md": (b"---\nlocale: klingon please\n---\nText", "language code"),
    "unknown_locale.md": (b"---\nlocale: xx\n---\nText", "language code"),
    "state.md": (b"---\nstate: archived\n---\nText", "draft or live"),
    "typo.md": (b"---\naudiance: internal\n---\nText", "“audiance” is unknown. Use “audience”"),
    "capital.md": (b"---\nAudience: internal\n---\nText", "Use “audience”"),
    "url.md": (b"---\nurl: javascript:alert(1)\n---\nText", "web address"),
    "long-title.md": (b"---\ntitle: " + b"x" * 301 + b"\n---\nText", "301"),
    "scripts-only.html": (b"<script>alert(1)</script>", "empty"),
    "latin.html": ("<p>Gr\u00fc\u00dfe</p>".encode("latin-1"), "not UTF-8"),
    "lie.html": ("<meta charset=utf-8><p>Gr\u00fc\u00dfe</p>".encode("latin-1"), "not UTF-8"),
    "nul.html": (b"<p>a\x00b</p>", "NUL"),
}


def test_every_broken_file_gets_one_message_and_stops_no_other(workspace: Workspace, tmp_path: Path) -> None:
    for name, (content, _) in BROKEN.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "good.md").write_text("# Good\n\nFine.")
    report = run(tmp_path)
    messages = failures(report)
    assert set(messages) == set(BROKEN)
    for name, (_, expected) in BROKEN.items():
        assert expected in messages[name], (name, messages[name])
        assert "\n" not in messages[name]
    assert counts(report) == (1, 0, 0, len(BROKEN))
    assert list(Article.objects.values_list("external_id", flat=True)) == ["good.md"]


def test_a_broken_file_leaves_the_stored_article_unchanged(folder: Path) -> None:
    run(folder)
    (folder / "times.md").write_bytes(b"---\ntitle: [\n---\nx")
    assert counts(run(folder)) == (0, 0, 3, 1)
    assert Article.objects.get(external_id="times.md").live_revision.number == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [("nowhere", "does not exist"), ("program.exe", "cannot be read")],
)
def test_a_path_that_cannot_be_imported_says_why(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.exe").write_bytes(b"MZ")
    report = run(path)
    assert report["failed"] == 1
    assert expected in report["items"][0]["message"]


def test_a_failure_ends_with_an_error_that_names_it(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(b"")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Failed items: 1"):
        call_command("kb_import", str(tmp_path), stdout=out)
    assert "bad.md: The file is empty." in out.getvalue()


def test_the_workspace_must_be_named_when_there_are_several(folder: Path, other_workspace: Workspace) -> None:
    with pytest.raises(CommandError, match="--workspace"):
        call_command("kb_import", str(folder))
    assert not Article.objects.exists()
    assert counts(run(folder, "--workspace", "wrenfell")) == (4, 0, 0, 0)


@pytest.mark.long
def test_a_hundred_articles_take_few_statements(workspace: Workspace, tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "title": f"T{n}", "text": f"Text {n}."}) for n in range(100)]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        run(tmp_path, "--no-wait")
    announcements = sum(query["sql"].startswith('INSERT INTO "outbox_announcement"') for query in queries)
    assert announcements == 100
    assert len(queries) - announcements < 80


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_duplicate_nothing_and_share_the_work(workspace: Workspace, tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "title": f"T{n}", "text": f"Text {n}."}) for n in range(60)]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines))
    start, reports = threading.Barrier(2), list[dict[str, Any]]()

    def importer() -> None:
        try:
            start.wait(timeout=PATIENCE_SECONDS)
            reports.append(run(tmp_path))
        finally:
            connection.close()

    threads = [threading.Thread(target=importer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_SECONDS)
    assert sorted(counts(report)[::2] for report in reports) == [(0, 60), (60, 0)]
    assert sum(report["embedded"] for report in reports) == Chunk.objects.exclude(embedding=None).count() == 60
    assert (
        Article.objects.count() == Revision.objects.count() == Article.objects.filter(indexed_revision=1).count() == 60
    )


def test_an_error_in_the_front_matter_names_the_line_in_the_readers_language() -> None:
    with override("de"), pytest.raises(InvalidDocument, match=r"nicht gelesen werden \(Zeile 3, Spalte 7\)\. Setzen"):
        split_front_matter("---\ntitle: Fees\nurl: a: b\n---\nText")


def test_front_matter_keys_of_other_programs_are_ignored(workspace: Workspace, tmp_path: Path) -> None:
    keys = "date: today\ntags: [a, b]\nstatus: ok\ncategories: x\nsubtitle: y\ntranslation_of: z\ntitle: T\ntitles: U\n"
    (tmp_path / "a.md").write_text(f"---\n{keys}---\nText")
    assert counts(run(tmp_path)) == (1, 0, 0, 0)


def test_a_link_out_of_the_folder_is_skipped_and_reported(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("The password is swordfish.")
    inside = tmp_path / "articles"
    inside.mkdir()
    (inside / "own.md").write_text("Own words.")
    (inside / "alias.md").symlink_to(inside / "own.md")
    (inside / "out.md").symlink_to(tmp_path / "secret.md")
    (inside / "broken.md").symlink_to(tmp_path / "nowhere.md")
    report = run(inside)
    assert "points outside the folder" in failures(report)["out.md"]
    assert sorted(Article.objects.values_list("external_id", flat=True)) == ["alias.md", "own.md"]


def test_a_file_can_set_its_collection_and_draft_state(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ncollection: Team handbook\nstate: draft\n---\nUnfinished.")
    assert counts(run(tmp_path, "--dry-run")) == (1, 0, 0, 0)
    assert counts(run(tmp_path)) == (1, 0, 0, 0)
    article = Article.objects.get()
    assert (article.collection.name, article.state) == ("Team handbook", State.DRAFT)
    assert not Chunk.objects.exists()
    assert counts(run(tmp_path)) == counts(run(tmp_path, "--dry-run")) == (0, 0, 1, 0)
    assert counts(run(tmp_path, "--dry-run", "--collection", "Help")) == (0, 1, 0, 0)
    run(tmp_path, "--collection", "Help")
    assert Article.objects.get().collection.name == "Help"


def test_a_draft_of_a_live_article_does_not_change_what_customers_read(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("---\nid: a\n---\nOld words.")
    run(tmp_path)
    file.write_text("---\nid: a\nstate: draft\n---\nNew words.")
    assert counts(run(tmp_path)) == (0, 1, 0, 0)
    (row,) = Article.objects.values_list("state", "live_revision__body", "latest_revision__body")
    assert row == (State.LIVE, "Old words.", "New words.")


def test_an_article_that_names_no_language_is_in_that_of_its_text(folder: Path) -> None:
    (folder / "sauna.md").write_text(
        "# Wellness und Sauna\n\nDie Sauna ist täglich von 14 bis 21 Uhr geöffnet. Der Eintritt ist kostenlos.\n"
    )
    (folder / "questions.csv").write_text("Posso portare il cane?,I cani sono benvenuti nelle nostre camere.\n")
    run(folder)
    found = dict(Article.objects.values_list("live_revision__title", "locale"))
    assert (found["Wellness und Sauna"], found["Posso portare il cane?"]) == ("de", "it")
    assert (found["Delivery times"], found["Costs: what you pay"]) == ("en", "de-de")
