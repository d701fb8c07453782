"""Checks of changed articles run one after another and within limits, and are given up when they fail."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from kb.models import Article, Picture, Revision
from kb.pictures import add_picture, address_of
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.articles import answer_preview, earlier_articles, published_checks
from supportbot.evals.models import ArticleCheck
from tests.console.conftest import Enter
from tests.console.conftest import enter as enter
from tests.console.test_firststeps import png
from tests.evals.checked_articles import RETURNS, again_due, checked, due, imported
from tests.evals.checked_articles import folder as folder
from tests.kb.source_commands import add
from tests.rest import service

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_checks_of_a_workspace_run_one_after_another(folder: Path) -> None:
    imported(folder)
    checked()
    check = due(folder, 14)
    running = ArticleCheck.objects.create(state="running", articles=[], lease_until=now() + timedelta(minutes=5))
    assert published_checks.due_checks() == []
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert check.state == "waiting"
    again_due(running)
    published_checks.run_check(running.pk)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert check.state == "done" and len(check.failures) == 1


def test_looking_for_due_checks_takes_the_same_queries_for_many(
    folder: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    late = create_article(Change(title="Late", body="Not indexed yet.", locale="en"))
    publish(late.pk)
    for number in range(7):
        ArticleCheck.objects.create(state="running", articles=[late.pk], lease_until=now())
        if number in (0, 6):
            with django_assert_num_queries(2):
                assert published_checks.due_checks() == []


def test_a_check_takes_the_same_queries_for_many_articles(
    folder: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        (folder / f"bag{number}.md").write_text(f"---\nphrasings: ['How big is bag {number}?']\n---\n# Bag\n\nBig.\n")
    imported(folder)
    for most in (1, 7):
        articles = list(Article.objects.select_related("live_revision")[:most])
        with django_assert_num_queries(1):
            seen = earlier_articles.facts_of(articles)
        assert len(seen) == most
    asked = {tuple(facts["phrasings"]) for facts in seen.values()}
    assert asked == {(), *((f"How big is bag {number}?",) for number in range(6))}


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_a_check_locks_neither_the_article_nor_its_picture_while_it_searches(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{RETURNS}\n![The label]({address_of(add_picture(png()))})\n"
    monkeypatch.setattr("tests.evals.checked_articles.RETURNS", text)
    published_checks.run_check(due(folder, 60).pk)
    check, article = due(folder, 14), Article.objects.get()
    searched: list[bool] = []
    seek_for = answer_preview.seek

    def seek(*given: Any, **named: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:  # another worker, with its own connection
            pool.submit(lock_at_once, workspace, article.pk).result()
        searched.append(bool(given[1].without))
        return seek_for(*given, **named)

    monkeypatch.setattr(answer_preview, "seek", seek)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert searched == [False, True], "with the new text, and with the old one"
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


@pytest.mark.long
def test_a_check_is_limited_and_counts_the_cases_it_left_out(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch, enter: Enter
) -> None:
    monkeypatch.setattr(published_checks, "MOST_CASES", 0)
    add(folder)
    assert (checked().played, ArticleCheck.objects.get().untried) == (0, 1)
    [listed] = service(workspace, "kb:read").get("/api/v1/article-checks").json()["results"]
    assert (listed["played"], listed["untried"]) == (0, 1)
    source = Article.objects.get().source_item.source_id
    page = enter("editor").get(f"/admin/kb/source/{source}/change/").content.decode()
    assert "1 gate case was skipped" in page
    monkeypatch.setattr(published_checks, "MOST_CASES", 9)
    monkeypatch.setattr(published_checks, "SECONDS", 0.0)
    check = due(folder, 14)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert (check.played, check.untried, check.failures) == (0, 1, [])


def test_a_worker_whose_lease_has_expired_overwrites_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, found = due(folder, 60), published_checks._found

    def slow(mine: ArticleCheck) -> dict[str, Any]:
        monkeypatch.setattr(published_checks, "_found", found)
        again_due(mine)
        published_checks.run_check(mine.pk)  # by another worker
        return {"played": 99}

    monkeypatch.setattr(published_checks, "_found", slow)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert (check.state, check.played, check.attempt) == ("done", 1, 2)


def test_a_check_that_fails_is_abandoned_and_delays_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check = due(folder, 60)

    def fails(_check: ArticleCheck) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(published_checks, "_found", fails)
    for attempt in range(1, published_checks.MOST_ATTEMPTS + 1):
        published_checks.run_check(check.pk)
        check.refresh_from_db()
        assert check.attempt == attempt and published_checks.due_checks() == []
        again_due(check)
    assert check.state == "done" and "failed several times" in check.problem and check.finished_at
    assert caplog.text.count("ZeroDivisionError") >= published_checks.MOST_ATTEMPTS


def test_a_check_whose_workers_die_is_abandoned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = due(folder, 60)

    def dies(_check: ArticleCheck) -> dict[str, Any]:
        raise SystemExit

    monkeypatch.setattr(published_checks, "_found", dies)
    for _ in range(published_checks.MOST_ATTEMPTS):
        with pytest.raises(SystemExit):
            published_checks.run_check(check.pk)
        again_due(check)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert check.state == "done" and "failed several times" in check.problem


def test_checks_that_wait_for_the_index_do_not_delay_others(folder: Path) -> None:
    check = due(folder, 60)
    late = create_article(Change(title="Late", body="Not indexed yet.", locale="en"))
    publish(late.pk)
    earlier = now() - timedelta(minutes=1)
    for _ in range(published_checks.AT_ONCE + 1):
        ArticleCheck.objects.create(state="running", articles=[late.pk], lease_until=earlier)
    assert published_checks.due_checks() == [(check.workspace_pk, check.pk)]


@pytest.mark.long
def test_a_check_of_a_large_import_reads_its_texts_a_few_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_articles, "MOST", 2)
    monkeypatch.setattr(earlier_articles, "READ_AT_ONCE", 3)
    published_checks.run_check(due(folder, 60).pk)
    for number in range(8):
        (folder / f"bag{number}.md").write_text(f"# Bag\n\nBag {number} is big. Items are returned within 60 days.\n")
    check, read, texts_at = due(folder, 14), list[int](), earlier_articles.texts_at

    def counted(articles: Any, facts: Any) -> Any:
        loaded = [one for one in articles if "body" in one.live_revision.__dict__]
        read.extend((len(articles), len(loaded)))
        return texts_at(articles, facts)

    monkeypatch.setattr(earlier_articles, "texts_at", counted)
    published_checks.run_check(check.pk)
    check.refresh_from_db()
    assert len(check.articles) == 9 and read and max(read) <= 3
    [found] = check.failures
    assert "60 days" in found["before"] and "Bag" not in found["before"] and "14 days" in found["after"]
