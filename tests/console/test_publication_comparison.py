"""Comparisons after an article is published in the console: answers to customers' questions before and now."""

from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.indexing.sync import sync_articles
from kb.models import Article, Revision
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals.articles import answer_preview, draft_checks, publication_comparison
from supportbot.evals.models import DraftCheck
from tests.console.conftest import Enter
from tests.embedded.test_checks import database_url
from tests.pages import visible_text
from tests.stored_rows import created_once

pytestmark = pytest.mark.django_db
RETURNS = "## Returns\n\nYou can return unused items within 60 days of delivery. The label is free.\n"
SHORTER = f"{RETURNS.replace('60 days', '14 days')}\n## Gift cards\n\nWe sell gift cards of 20 to 200 euros.\n"


@pytest.fixture
def returns(workspace: Workspace) -> Article:
    return created_once("article published in the console", workspace, write_returns)


def write_returns() -> Article:
    article = create_article(Change(title="Returns", body=RETURNS, locale="en"))
    publish(article.pk)
    sync_articles([article.pk])
    return article


@pytest.fixture(autouse=True)
def questions(alice: Customer) -> None:
    for question in ("How many days do I have to return unused items?", "Do you sell gift cards?", "Thanks!"):
        add_customer_message(start_conversation(alice.pk).pk, text=question, client_id="c1")


def saved(client: Client, article: Article | None, **more: str) -> Any:
    address = f"/admin/kb/article/{article.pk}/change/" if article else "/admin/kb/article/add/"
    form = {"title": "Returns", "body": SHORTER, "locale": "en", "audience": "public", "do": "publish"}
    return client.post(address, {**form, **more}, follow=True)


def run_due() -> None:
    for _, check_id in draft_checks.due_drafts():
        draft_checks.run_draft_check(check_id)


def notice_on(client: Client, article: Article) -> str:
    page = LexborHTMLParser(client.get(f"/admin/kb/article/{article.pk}/change/").content.decode())
    found = page.css_first("#compared")
    return visible_text(found, " ") if found else ""


def outcomes_on(client: Client, article: Article) -> dict[str, str]:
    """Return the outcomes by question, from the page with both answers."""
    page = LexborHTMLParser(client.get(f"/admin/kb/article/{article.pk}/check/").content.decode())
    rows = [row.css_first("summary") for row in page.css("[aria-labelledby=h-questions] details")]
    return {row.css("span")[-1].text(strip=True): row.css_first(".tag").text(strip=True) for row in rows}


def test_the_editor_publishes_at_once_and_then_shows_the_effect(enter: Enter, returns: Article) -> None:
    editor = enter("editor")
    page = saved(editor, returns, based_on="1").content.decode()
    assert f"/admin/kb/article/{returns.pk}/check/" in page
    assert Article.objects.get(pk=returns.pk).live_revision.number == 2  # type: ignore[union-attr]  # it is live
    check = DraftCheck.objects.get()
    assert check.is_open and "Waiting to start." in notice_on(editor, returns)
    revisions = Revision.objects.count()
    run_due()
    told = notice_on(editor, returns)
    assert "Changed 1" in told and "Better 1" in told and "Worse" not in told
    assert "Better" in editor.get(f"/admin/kb/article/{returns.pk}/compared/").content.decode()
    assert outcomes_on(editor, returns) == {
        "How many days do I have to return unused items?": "Changed",
        "Do you sell gift cards?": "Better",
    }
    both = editor.get(f"/admin/kb/article/{returns.pk}/check/").content.decode()
    assert "60 days" in both and "14 days" in both and "both answers are the same" not in both
    assert Revision.objects.count() == revisions


@pytest.mark.long
def test_a_new_article_is_compared_with_its_absence(enter: Enter) -> None:
    editor = enter("editor")
    saved(editor, None)
    article = Article.objects.get()
    run_due()
    assert set(outcomes_on(editor, article).values()) == {"Better"}


@pytest.mark.long
def test_results_of_a_check_are_reused(enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = enter("editor")
    saved(editor, returns, do="check", based_on="1")
    run_due()
    before = outcomes_on(editor, returns)
    editor.post(f"/admin/kb/article/{returns.pk}/publish/", {"revision": "2"})
    assert draft_checks.due_drafts() == []
    assert outcomes_on(editor, returns) == before and "Better 1" in notice_on(editor, returns)


@pytest.mark.long
def test_a_running_check_is_cancelled_by_the_publication(enter: Enter, returns: Article) -> None:
    editor = enter("editor")
    saved(editor, returns, do="check", based_on="1")
    editor.post(f"/admin/kb/article/{returns.pk}/publish/", {"revision": "2"})
    assert sorted(DraftCheck.objects.values_list("state", flat=True)) == ["cancelled", "waiting"]
    run_due()
    assert outcomes_on(editor, returns)["Do you sell gift cards?"] == "Better"


@pytest.mark.long
def test_a_comparison_passes_no_gate(enter: Enter, returns: Article) -> None:
    saved(enter("editor"), returns, based_on="1")
    run_due()
    check = DraftCheck.objects.get()
    assert check.state == "done" and not draft_checks.is_current(check)


@pytest.mark.long
def test_nothing_is_compared_if_nothing_is_published(enter: Enter, returns: Article) -> None:
    editor = enter("editor")
    saved(editor, returns, body=RETURNS, based_on="1")
    saved(editor, returns, do="save", based_on="1")
    assert not DraftCheck.objects.exists() and notice_on(editor, returns) == ""


@pytest.mark.long
def test_an_article_restored_from_the_archive_is_compared_with_its_absence(enter: Enter, returns: Article) -> None:
    archive(returns.pk)
    editor = enter("editor")
    saved(editor, returns, based_on="1", body=RETURNS)
    run_due()
    assert outcomes_on(editor, returns)["How many days do I have to return unused items?"] == "Better"


def test_many_publications_at_once_do_not_all_wait(
    enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication_comparison, "MOST_WAITING", 1)
    other = create_article(Change(title="Gift cards", body="We sell gift cards.", locale="en"))
    save_draft(returns.pk, Change(body=SHORTER))
    ticked = {"action": "publish_ticked", "_selected_action": [str(returns.pk), str(other.pk)]}
    enter("editor").post("/admin/kb/article/", ticked)
    assert Article.objects.filter(state="live").count() == 2
    assert DraftCheck.objects.count() == 1


@pytest.mark.long
def test_an_article_that_is_published_again_is_compared_even_if_no_more_may_wait(
    enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication_comparison, "MOST_WAITING", 1)
    editor = enter("editor")
    saved(editor, returns, based_on="1")
    saved(editor, returns, body=RETURNS.replace("60 days", "7 days"), based_on="2")
    found = DraftCheck.objects.order_by("revision").values_list("revision", "state")
    assert list(found) == [(2, "cancelled"), (3, "waiting")]


@pytest.mark.long
def test_a_worker_of_the_previous_version_does_not_run_a_comparison(enter: Enter, returns: Article) -> None:
    saved(enter("editor"), returns, based_on="1")
    check = DraftCheck.objects.get()
    due_for_previous_version = DraftCheck.objects.filter(state__in=("waiting", "running"), lease_until__lte=now())
    assert not due_for_previous_version.exists()
    draft_checks.cancel(check.pk)
    draft_checks.resume(check.pk)
    assert not due_for_previous_version.exists()
    assert draft_checks.due_drafts() == [(check.workspace_pk, check.pk)]
    run_due()
    check.refresh_from_db()
    assert (check.state, len(check.rows), draft_checks.due_drafts()) == ("done", 2, [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_nobody_who_saves_an_article_waits_while_its_publication_is_compared(
    enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = enter("editor")
    saved(editor, returns, based_on="1")
    seek, asked = answer_preview.seek, []

    def while_another_locks_it(question: str, *given: Any, **more: Any) -> Any:
        with psycopg.connect(database_url()) as other:
            other.execute("SELECT 1 FROM kb_article WHERE id = %s FOR UPDATE NOWAIT", [returns.pk])
        asked.append(question)
        return seek(question, *given, **more)

    monkeypatch.setattr(answer_preview, "seek", while_another_locks_it)
    run_due()
    assert DraftCheck.objects.get().state == "done" and len(asked) == 4, "before and after"
    assert outcomes_on(editor, returns)["Do you sell gift cards?"] == "Better"
