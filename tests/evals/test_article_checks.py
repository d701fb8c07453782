"""Text published without gates is checked and reported afterwards; with `--gate` or `gate`, it is refused instead."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from kb.documents import Document
from kb.indexing.index import sync_articles
from kb.management.commands import kb_import
from kb.models import Article, Phrasing, Picture, Revision
from kb.pictures import add_picture, address_of
from kb.ports import Verdict
from kb.services import Change, create_article, publish, save_draft
from kb.sources import letting_go, sync
from kb.sources.models import SourceItem
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.articles import checks, former, rehearsal, reported
from supportbot.evals.models import ArticleCheck, ChangedArticle, Suite
from supportbot.evals.reading import read_suite
from supportbot.evals.services import save_suite
from supportbot.outbox.services import deliver_due
from supportbot.releases.models import ReleaseGates
from tests.console.conftest import Enter, enter
from tests.console.test_firststeps import png
from tests.kb.source_commands import add, again, reasons
from tests.rest import service

__all__ = ["enter"]  # a fixture
pytestmark = pytest.mark.django_db
RETURNS = "# Returns\n\nYou can return unused items within {days} days of delivery. The label is free.\n"
IN_OTHER_WORDS = "Unused items: how many days do I have to return?"
CASES = b"""
suite: promises
cases:
  - id: window
    must: true
    ask: How many days do I have to return unused items?
    expect: {source: returns.md, figures: 60 days}
"""


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    """A folder with one article that a gate covers; it has not been imported."""
    save_suite(read_suite(CASES, file="cases.yaml"))
    ReleaseGates.objects.create(suites=["promises"])
    return written(tmp_path, 60)


def written(folder: Path, days: int) -> Path:
    (folder / "returns.md").write_text(RETURNS.format(days=days))
    return folder


def imported(folder: Path, *options: str) -> Article:
    call_command("kb_import", str(folder), *options, stdout=io.StringIO(), stderr=io.StringIO())
    return Article.objects.get(external_id="returns.md")


def words(article: Article) -> str:
    live = Article.objects.get(pk=article.pk).live_revision
    assert live is not None
    return str(live.body)


def checked() -> ArticleCheck:
    """Announce all changes, and run the check that waits for them."""
    deliver_due()
    waiting = ArticleCheck.objects.get(state="waiting")
    assert checks.due_checks() == []  # something may still change
    ArticleCheck.objects.update(lease_until=now())
    sync_articles(checks.checked_articles(waiting))
    assert checks.due_checks() == [(waiting.workspace_pk, waiting.pk)]
    checks.play_check(waiting.pk)
    checks.play_check(waiting.pk)  # a message that comes twice
    assert not ChangedArticle.objects.exists()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.problem) == ("done", "")
    return waiting


def test_what_an_import_breaks_is_reported_until_it_is_fixed(workspace: Workspace, folder: Path, enter: Enter) -> None:
    article, editor = imported(folder), enter("editor")
    assert checked().failures == []
    imported(written(folder, 14))
    broken = checked()
    assert broken.articles == [article.pk]
    [found] = broken.failures
    assert found["case"] == "promises: window" and "60 days" in found["before"] and "14 days" in found["after"]
    assert "14 days" in words(article)  # a check reverts nothing
    listed = service(workspace, "kb:read").get(f"/api/v1/article-checks?article={article.pk}").json()
    assert [len(one["failures"]) for one in listed["results"]] == [1, 0]
    page = editor.get("/admin/improve/?kind=broken").content.decode()
    assert "promises: window" in page and "within 14 days" in page
    imported(written(folder, 60))
    assert checked().failures == []
    assert "promises: window" not in editor.get("/admin/improve/?kind=broken").content.decode()
    Suite.objects.all().delete()
    imported(written(folder, 30))
    deliver_due()
    ArticleCheck.objects.update(lease_until=now())
    checks.play_check(ArticleCheck.objects.get(state="waiting").pk)
    assert "do not exist: promises" in reported.checks()[0].problem


def broken_on(client: Client) -> str:
    return client.get("/admin/improve/?kind=broken").content.decode()


@pytest.mark.parametrize("checks_between", [False, True], ids=["in one check", "in two checks"])
def test_two_changes_do_not_hide_what_the_first_has_broken(
    workspace: Workspace, folder: Path, enter: Enter, checks_between: bool
) -> None:
    imported(folder)
    checked()
    imported(written(folder, 14))
    deliver_due()
    if checks_between:
        checked()
    imported(written(folder, 15))
    last, page = checked(), broken_on(enter("editor"))
    assert "promises: window" in page and "60 days" in page
    assert [one["case"] for one in last.failures] == ([] if checks_between else ["promises: window"])


def test_the_first_check_of_an_article_compares_with_the_text_before_its_first_change(folder: Path) -> None:
    article = imported(folder)
    deliver_due()
    ArticleCheck.objects.all().delete()  # as if the gates were named afterwards
    ChangedArticle.objects.all().delete()
    Article.objects.update(published_at=now() - timedelta(days=1))
    for days in (14, 15):
        imported(written(folder, days))
        deliver_due()
    [found] = checked().failures
    assert "60 days" in found["before"] and "15 days" in found["after"] and "15 days" in words(article)


def test_other_readers_that_break_a_case_are_reported(workspace: Workspace, folder: Path) -> None:
    article = imported(folder)
    checked()
    client = service(workspace, "kb:read", "kb:write")
    assert client.patch(f"/api/v1/articles/{article.pk}", {"audience": "internal"}, format="json").status_code == 200
    [found] = checked().failures
    assert found["case"] == "promises: window" and "60 days" in found["before"]


def test_a_case_stays_reported_through_checks_of_other_articles_until_it_passes(
    workspace: Workspace, folder: Path, enter: Enter
) -> None:
    imported(folder)
    checked()
    imported(written(folder, 14))
    checked()
    editor = enter("editor")
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    imported(folder)
    assert checked().mended == [] and "promises: window" in broken_on(editor)
    ArticleCheck.objects.update(created_at=now() - checks.KEPT_FOR - timedelta(days=1))
    checks.purge_checks()
    assert "promises: window" in broken_on(editor) and ArticleCheck.objects.count() == 1
    imported(written(folder, 60))
    assert checked().mended == ["promises: window"] and "promises: window" not in broken_on(editor)


def test_a_broken_case_is_dismissed_with_a_reason(workspace: Workspace, folder: Path, enter: Enter) -> None:
    imported(folder)
    checked()
    imported(written(folder, 14))
    checked()
    editor, page = enter("editor"), "/admin/improve/?kind=broken"
    told = {"case": "promises: window", "reason": " "}
    assert editor.post(page, told).status_code == 400 and "promises: window" in broken_on(editor)
    assert enter("agent").post(page, told | {"reason": "It is so now"}).status_code == 403
    assert "promises: window" in broken_on(editor)
    assert editor.post(page, told | {"reason": "It is so now"}).status_code == 302
    assert "promises: window" not in broken_on(editor)
    assert editor.post(page, told | {"reason": "Again"}).status_code == 404
    imported(written(folder, 13))
    checked()
    assert "promises: window" not in broken_on(editor)


def test_checks_of_a_workspace_are_played_one_after_another(folder: Path) -> None:
    imported(folder)
    checked()
    check = due(folder, 14)
    running = ArticleCheck.objects.create(state="running", articles=[], lease_until=now() + timedelta(minutes=5))
    assert checks.due_checks() == []
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert check.state == "waiting"
    again_due(running)
    checks.play_check(running.pk)
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert check.state == "done" and len(check.failures) == 1


def test_looking_for_due_checks_costs_the_same_for_many(
    folder: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    late = create_article(Change(title="Late", body="Not indexed yet.", locale="en"))
    publish(late.pk)
    for number in range(7):
        ArticleCheck.objects.create(state="running", articles=[late.pk], lease_until=now())
        if number in (0, 6):
            with django_assert_num_queries(2):
                assert checks.due_checks() == []


def test_what_a_check_has_seen_costs_the_same_for_many_articles(
    folder: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        (folder / f"bag{number}.md").write_text(f"---\nphrasings: ['How big is bag {number}?']\n---\n# Bag\n\nBig.\n")
    imported(folder)
    for most in (1, 7):
        articles = list(Article.objects.select_related("live_revision")[:most])
        with django_assert_num_queries(1):
            seen = former.facts_of(articles)
        assert len(seen) == most
    asked = {tuple(facts["phrasings"]) for facts in seen.values()}
    assert asked == {(), *((f"How big is bag {number}?",) for number in range(6))}


def test_a_gate_refuses_an_import_a_sync_and_a_publication_over_rest(workspace: Workspace, folder: Path) -> None:
    article = imported(folder, "--gate")
    with pytest.raises(CommandError, match="promises: window"):
        imported(written(folder, 14), "--gate")
    assert "60 days" in words(article) and Article.objects.count() == 1
    save_draft(article.pk, Change(body=RETURNS.format(days=14)))
    client = service(workspace, "kb:read", "kb:write")
    refused = client.post(f"/api/v1/articles/{article.pk}/publish", {"gate": True}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")
    assert "promises: window" in refused.json()["message"] and "60 days" in words(article)
    assert client.post(f"/api/v1/articles/{article.pk}/publish", {"gate": "maybe"}, format="json").status_code == 400
    assert client.post(f"/api/v1/articles/{article.pk}/publish", {}, format="json").status_code == 200
    assert "14 days" in words(article)


def curated(folder: Path, question: str) -> Path:
    (folder / "hours.md").write_text(
        f"---\nphrasings: ['{question}']\n---\n# Opening hours\n\nWe are here from nine to five.\n"
    )
    return folder


@pytest.mark.parametrize("articles", [1, 7], ids=["alone", "with more than are told apart"])
def test_an_import_whose_questions_take_the_answer_to_a_case_is_refused(folder: Path, articles: int) -> None:
    imported(folder, "--gate")
    for number in range(1, articles):
        (folder / f"more{number}.md").write_text(f"# Bag {number}\n\nThe bag holds {number} litres.\n")
    with pytest.raises(CommandError, match="promises: window"):
        imported(curated(folder, IN_OTHER_WORDS), "--gate")
    assert Article.objects.count() == 1 and not Phrasing.objects.exists()
    imported(curated(folder, "When are you open?"), "--gate")
    assert Article.objects.count() == articles + 1
    with pytest.raises(CommandError, match="promises: window"):
        imported(curated(folder, IN_OTHER_WORDS), "--gate")
    assert [row.text for row in Phrasing.objects.all()] == ["When are you open?"]


def test_an_import_that_is_tried_holds_no_pictures_and_leaves_out_what_changes_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "label.png").write_bytes(png())
    for name in ("label", "box"):
        (folder / f"{name}.md").write_text(f"# The {name}\n\n![It](label.png)\n")
    tried = kb_import.try_import

    def slowly(documents: Sequence[Document], **options: Any) -> Verdict:
        assert [one.pictures for one in documents] == [()] * 3
        verdict = tried(documents, **options)
        assert not Picture.objects.exists()
        (folder / "box.md").write_text("# The box\n\nYou can return unused items within 14 days of delivery.\n")
        return verdict

    monkeypatch.setattr(kb_import, "try_import", slowly)
    with pytest.raises(CommandError, match="Failed items: 1"):
        imported(folder, "--gate")
    assert set(Article.objects.values_list("external_id", flat=True)) == {"label.md", "returns.md"}
    assert Picture.objects.count() == 1


def test_a_dry_run_asks_the_gates_too(folder: Path) -> None:
    imported(folder, "--gate")
    with pytest.raises(CommandError, match="promises: window"):
        imported(written(folder, 14), "--gate", "--dry-run")
    assert "60 days" in words(Article.objects.get())


def test_a_source_reads_a_file_with_only_other_questions(folder: Path) -> None:
    add(folder)
    curated(folder, "When are you open?")
    assert again()["new"] == 1
    curated(folder, "When do you close?")
    assert again()["changed"] == 1
    assert [row.text for row in Phrasing.objects.all()] == ["When do you close?"]
    assert again()["unchanged"] == 2


def test_a_source_leaves_out_questions_that_take_the_answer_to_a_case(folder: Path) -> None:
    add(folder)
    curated(folder, IN_OTHER_WORDS)
    told = again("--gate")
    assert (told["new"], told["broken"]) == (0, 1) and "promises: window" in reasons(told)["hours.md"]
    assert Article.objects.count() == 1 and not Phrasing.objects.exists()
    curated(folder, "When are you open?")
    told = again("--gate")
    assert (told["new"], told["broken"]) == (1, 0)
    assert [row.text for row in Phrasing.objects.all()] == ["When are you open?"]


def test_a_source_keeps_changes_that_the_gates_refuse(folder: Path, enter: Enter) -> None:
    add(folder)
    article = Article.objects.get(external_id="returns.md")
    written(folder, 14)
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    told = again("--gate")
    assert (told["new"], told["changed"], told["broken"]) == (1, 0, 1)
    assert "promises: window" in reasons(told)["returns.md"] and "60 days" in words(article)
    assert again()["changed"] == 1 and "14 days" in words(article)
    checked()
    page = enter("editor").get(f"/admin/kb/source/{article.source_item.source_id}/change/").content.decode()
    assert "Checked with the gates" in page and "promises: window" in page


def due(folder: Path, days: int) -> ArticleCheck:
    """Import a text and return the check of it, which may be played now."""
    sync_articles([imported(written(folder, days)).pk])
    deliver_due()
    ArticleCheck.objects.exclude(state="done").update(lease_until=now())
    return ArticleCheck.objects.get(state="waiting")


def again_due(check: ArticleCheck) -> None:
    """Let the lease of a check run out."""
    ArticleCheck.objects.filter(pk=check.pk).update(lease_until=now())


def test_a_waiting_check_collects_articles_without_being_written_anew(workspace: Workspace, folder: Path) -> None:
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    imported(folder)
    deliver_due()
    deliver_due()
    check, program = ArticleCheck.objects.get(), service(workspace, "kb:read")
    collected = set(Article.objects.values_list("pk", flat=True))
    assert check.articles == [] and set(checks.checked_articles(check)) == collected and len(collected) == 2
    address = f"/api/v1/article-checks?article={min(collected)}"
    [listed] = program.get(address).json()["results"]
    assert {UUID(one) for one in listed["articles"]} == collected
    assert set(checked().articles) == collected
    assert [one["state"] for one in program.get(address).json()["results"]] == ["done"]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_an_article_or_its_picture_while_its_check_searches(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{RETURNS}\n![The label]({address_of(add_picture(png()))})\n"
    monkeypatch.setattr("tests.evals.test_article_checks.RETURNS", text)
    checks.play_check(due(folder, 60).pk)
    check, article = due(folder, 14), Article.objects.get()
    searched: list[bool] = []
    seek_for = rehearsal.seek

    def seek(*given: Any, **named: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:  # another worker, with its own connection
            pool.submit(lock_at_once, workspace, article.pk).result()
        searched.append(bool(given[1].without))
        return seek_for(*given, **named)

    monkeypatch.setattr(rehearsal, "seek", seek)
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert searched == [False, True], "with the new text, and with the former one"
    [found] = check.failures
    assert "60 days" in found["before"] and "14 days" in found["after"]
    assert Article.objects.get().live_revision == article.live_revision and Revision.objects.count() == 2


def lock_at_once(workspace: Workspace, article_id: UUID) -> None:
    try:
        with workspace_scope(workspace.pk), transaction.atomic():
            Article.objects.select_for_update(nowait=True).get(pk=article_id)
            Picture.objects.select_for_update(nowait=True).get()
    finally:
        connection.close()


def test_a_check_is_bounded_and_says_what_it_left_out(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    monkeypatch.setattr(checks, "MOST_CASES", 0)
    add(folder)
    assert (checked().played, ArticleCheck.objects.get().untried) == (0, 1)
    [listed] = service(workspace, "kb:read").get("/api/v1/article-checks").json()["results"]
    assert (listed["played"], listed["untried"]) == (0, 1)
    source = Article.objects.get().source_item.source_id
    page = enter("editor").get(f"/admin/kb/source/{source}/change/").content.decode()
    assert "1 gate case was not tried" in page
    monkeypatch.setattr(checks, "MOST_CASES", 9)
    monkeypatch.setattr(checks, "SECONDS", 0.0)
    check = due(folder, 14)
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert (check.played, check.untried, check.failures) == (0, 1, [])


def test_a_worker_that_was_silent_for_too_long_overwrites_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, found = due(folder, 60), checks._found

    def slow(mine: ArticleCheck) -> dict[str, Any]:
        monkeypatch.setattr(checks, "_found", found)
        again_due(mine)
        checks.play_check(mine.pk)  # by another worker
        return {"played": 99}

    monkeypatch.setattr(checks, "_found", slow)
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert (check.state, check.played, check.attempt) == ("done", 1, 2)


def test_a_check_that_fails_is_given_up_and_holds_up_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check = due(folder, 60)

    def fails(_check: ArticleCheck) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(checks, "_found", fails)
    for attempt in range(1, checks.MOST_ATTEMPTS + 1):
        checks.play_check(check.pk)
        check.refresh_from_db()
        assert check.attempt == attempt and checks.due_checks() == []
        again_due(check)
    assert check.state == "done" and "failed several times" in check.problem and check.finished_at
    assert caplog.text.count("ZeroDivisionError") >= checks.MOST_ATTEMPTS


def test_a_check_whose_workers_die_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = due(folder, 60)

    def dies(_check: ArticleCheck) -> dict[str, Any]:
        raise SystemExit

    monkeypatch.setattr(checks, "_found", dies)
    for _ in range(checks.MOST_ATTEMPTS):
        with pytest.raises(SystemExit):
            checks.play_check(check.pk)
        again_due(check)
    checks.play_check(check.pk)
    check.refresh_from_db()
    assert check.state == "done" and "failed several times" in check.problem


def test_checks_that_wait_for_the_index_hold_up_no_other(folder: Path) -> None:
    check = due(folder, 60)
    late = create_article(Change(title="Late", body="Not indexed yet.", locale="en"))
    publish(late.pk)
    earlier = now() - timedelta(minutes=1)
    for _ in range(checks.AT_ONCE + 1):
        ArticleCheck.objects.create(state="running", articles=[late.pk], lease_until=earlier)
    assert checks.due_checks() == [(check.workspace_pk, check.pk)]


def test_questions_that_break_a_case_are_reported_afterwards(workspace: Workspace, folder: Path) -> None:
    imported(folder)
    hours = create_article(Change(title="Hours", body="We are here from nine to five.", locale="en"))
    publish(hours.pk)
    checked()
    Article.objects.update(published_at=now() - timedelta(days=1))
    program, address = service(workspace, "kb:read", "kb:write"), f"/api/v1/articles/{hours.pk}"
    asked = "How many days do I have to return unused items?"
    assert program.patch(address, {"phrasings": [asked]}, format="json").status_code == 200
    broken = checked()
    assert broken.articles == [hours.pk]
    [found] = broken.failures
    assert "60 days" in found["before"] and "nine to five" in found["after"]
    assert program.patch(address, {"phrasings": []}, format="json").status_code == 200
    assert checked().failures == []
    needed = CASES.replace(b"source: returns.md, figures: 60 days", f"source: {hours.external_id}".encode())
    save_suite(read_suite(needed, file="cases.yaml"))
    assert program.patch(address, {"phrasings": [asked]}, format="json").status_code == 200
    assert checked().failures == []
    assert program.patch(address, {"phrasings": []}, format="json").status_code == 200
    [found] = checked().failures
    assert "nine to five" in found["before"] and "60 days" in found["after"]


def vanishing(folder: Path, number: int) -> None:
    """Read a source; then the article that a case needs is gone from it, and others."""
    for place in range(4 * number):
        (folder / f"care{place}.md").write_text(f"# Care {place}\n\nWash garment {place} by hand.\n")
    add(folder)
    for name in ("returns.md", *(f"care{place}.md" for place in range(number))):
        (folder / name).unlink()


@pytest.mark.parametrize("is_slow", [False, True], ids=["in one turn", "in a turn for each decision"])
def test_one_article_that_is_kept_among_many_takes_a_few_trials_and_no_turn_is_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_slow: bool
) -> None:
    vanishing(folder, 12)
    decide, turns, trials = sync.archive_by_gates, 0, letting_go._verdict
    tried: list[int] = []

    def count_turn(*given: Any, **named: Any) -> bool:
        nonlocal turns
        turns += 1
        return decide(*given, **named)

    monkeypatch.setattr(sync, "archive_by_gates", count_turn)
    monkeypatch.setattr(letting_go, "_verdict", lambda items: tried.append(len(items)) or trials(items))
    if is_slow:
        monkeypatch.setattr(letting_go, "monotonic", lambda: float("inf"))
    told = again("--gate")
    assert (told["state"], told["gone"], told["broken"]) == ("done", 12, 1)
    assert "promises: window" in reasons(told)["returns.md"]
    assert Article.objects.filter(state="archived").count() == 12
    assert Article.objects.get(external_id="returns.md").state == "live"
    assert len(tried) < 13 if not is_slow else turns > 2


def test_a_confirmed_loss_still_asks_the_gates(folder: Path) -> None:
    vanishing(folder, 3)
    for place in range(3, 9):
        (folder / f"care{place}.md").unlink()
    assert again("--gate")["state"] == "unconfirmed"
    told = again("--gate", "--archive-lost")
    assert (told["state"], told["broken"], told["gone"]) == ("done", 1, 9)
    assert Article.objects.get(external_id="returns.md").state == "live"
    assert Article.objects.filter(state="archived").count() == 9


def test_a_gate_whose_suite_is_gone_ends_a_run_with_its_reason(folder: Path) -> None:
    vanishing(folder, 3)
    Suite.objects.all().delete()
    with pytest.raises(CommandError, match="do not exist: promises"):
        again("--gate")
    assert Article.objects.filter(state="archived").count() == 0
    written(folder, 14)
    with pytest.raises(CommandError, match="do not exist: promises"):
        again("--gate")
    assert "60 days" in words(Article.objects.get(external_id="returns.md"))
    assert "do not exist" in SourceItem.objects.get(key__endswith="returns.md").reason


def test_what_vanishes_from_a_source_is_checked_or_kept(folder: Path) -> None:
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    for number in range(6):  # so that two of them are no third of the source
        (folder / f"care{number}.md").write_text(f"# Care {number}\n\nWash garment {number} by hand.\n")
    add(folder)
    checked()
    article = Article.objects.get(external_id="returns.md")
    for name in ("returns.md", "hours.md"):
        (folder / name).unlink()
    told = again("--gate")
    assert (told["gone"], told["broken"]) == (1, 1)
    assert "Its articles are kept" in reasons(told)["returns.md"] and "promises: window" in reasons(told)["returns.md"]
    assert Article.objects.get(pk=article.pk).state == "live"
    assert Article.objects.get(external_id="hours.md").state == "archived"
    assert checked().failures == []
    assert again("--gate")["broken"] == 1  # it asks again
    assert again()["gone"] == 1
    [found] = checked().failures
    assert found["case"] == "promises: window" and "60 days" in found["before"]
    written(folder, 60)
    assert again("--gate")["broken"] == 0
    assert Article.objects.get(pk=article.pk).state == "live"
