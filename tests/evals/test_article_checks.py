"""Texts published without gates are checked, and the cases they break are reported afterwards."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.evals import tasks
from supportbot.evals.articles import broken_cases, published_checks
from supportbot.evals.models import ArticleCheck, ChangedArticle, Suite
from supportbot.evals.retention import ARTICLE_CHECKS_KEPT_FOR, purge_evaluations
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import read_suite
from supportbot.llm.errors import ModelUnavailable
from supportbot.outbox.delivery import deliver_due
from tests.console.conftest import Enter
from tests.console.conftest import enter as enter
from tests.evals.checked_articles import CASES, checked, due, imported, words, written
from tests.evals.checked_articles import folder as folder
from tests.pages import visible_text
from tests.rest import service

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_a_case_broken_by_an_import_is_reported_until_it_is_fixed(
    workspace: Workspace, folder: Path, enter: Enter
) -> None:
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
    published_checks.run_check(ArticleCheck.objects.get(state="waiting").pk)
    assert "do not exist: promises" in broken_cases.checks()[0].problem


def broken_on(client: Client) -> str:
    return client.get("/admin/improve/?kind=broken").content.decode()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("checks_between", [False, True], ids=["in one check", "in two checks"])
def test_a_second_change_does_not_hide_a_case_that_the_first_has_broken(
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


@pytest.mark.long
def test_the_first_check_of_an_article_compares_with_the_text_before_its_first_change(folder: Path) -> None:
    article = imported(folder)
    deliver_due()
    ArticleCheck.objects.all().delete()  # as if the gates had been set afterwards
    ChangedArticle.objects.all().delete()
    Article.objects.update(published_at=now() - timedelta(days=1))
    for days in (14, 15):
        imported(written(folder, days))
        deliver_due()
    [found] = checked().failures
    assert "60 days" in found["before"] and "15 days" in found["after"] and "15 days" in words(article)


@pytest.mark.long
def test_a_case_broken_by_a_change_of_audience_is_reported(workspace: Workspace, folder: Path) -> None:
    article = imported(folder)
    checked()
    client = service(workspace, "kb:read", "kb:write")
    assert client.patch(f"/api/v1/articles/{article.pk}", {"audience": "internal"}, format="json").status_code == 200
    [found] = checked().failures
    assert found["case"] == "promises: window" and "60 days" in found["before"]


@pytest.mark.long
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
    ArticleCheck.objects.update(created_at=now() - ARTICLE_CHECKS_KEPT_FOR - timedelta(days=1))
    purge_evaluations()
    assert "promises: window" in broken_on(editor) and ArticleCheck.objects.count() == 1
    imported(written(folder, 60))
    assert checked().mended == ["promises: window"] and "promises: window" not in broken_on(editor)


@pytest.mark.long
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


def test_a_broken_case_is_reviewed_and_fixed_in_place(folder: Path, enter: Enter) -> None:
    imported(folder)
    checked()
    broken = due(folder, 14)
    published_checks.run_check(broken.pk)
    editor, case = enter("editor"), "promises: window"
    address = reverse("admin:improve-broken", args=[case])
    listing = LexborHTMLParser(editor.get("/admin/improve/?kind=broken").content.decode())
    assert address in {one.attributes["href"] for one in listing.css("main a")}
    page = LexborHTMLParser(editor.get(address).content.decode())
    both = [visible_text(one, " ") for one in page.css("[aria-labelledby=h-case] .ba > section")]
    assert "60 days" in both[0] and "14 days" in both[1]
    assert "60" in [one.text() for one in page.css("[aria-labelledby=h-since] del")]
    assert "14 days" in page.css_first("#body").text()
    [start] = [one.attributes["href"] or "" for one in page.css("[aria-labelledby=h-since] a")]
    former = LexborHTMLParser(editor.get(f"{address}{start}").content.decode())
    assert "60 days" in former.css_first("#body").text()
    article = Article.objects.get(external_id="returns.md")
    edit = {"article": str(article.pk), "title": "Returns", "body": former.css_first("#body").text(), "based_on": "2"}
    replayed = LexborHTMLParser(editor.post(address, {"do": "replay", **edit}).content.decode())
    assert "60 days" in replayed.css_first("#replayed .draft").text() and "14 days" in words(article)
    told = editor.post(address, {"do": "publish", **edit}, follow=True).content.decode()
    assert "listed until it passes" in told and "60 days" in words(article)
    assert editor.get(address).status_code == 200
    mended = checked()
    assert mended.mended == [case] and editor.get(address).status_code == 404


@pytest.mark.long
def test_the_article_that_a_broken_case_expects_is_offered_first_among_many(folder: Path, enter: Enter) -> None:
    article = imported(folder)
    others = [create_article(Change(title=f"About {place:02}", body="We are here.")).pk for place in range(25)]
    checked()
    published_checks.run_check(due(folder, 14).pk)
    ArticleCheck.objects.exclude(failures=[]).update(articles=[*others, article.pk], former={})
    page = LexborHTMLParser(
        enter("editor").get(reverse("admin:improve-broken", args=["promises: window"])).content.decode()
    )
    offered = [one.attributes["value"] for one in page.css("#into option")]
    assert offered[0] == str(article.pk) and len(offered) == 20 and "14 days" in page.css_first("#body").text()


def test_the_page_of_a_broken_case_that_passes_again_keeps_the_typed_text(folder: Path, enter: Enter) -> None:
    imported(folder)
    checked()
    published_checks.run_check(due(folder, 14).pk)
    editor, address = enter("editor"), reverse("admin:improve-broken", args=["promises: window"])
    editor.post(address, {"do": "dismiss", "reason": "Now 14 days"})
    late = editor.post(address, {"do": "publish", "article": "new", "title": "Returns", "body": "Typed by me."})
    assert late.status_code == 409 and b"Typed by me." in late.content


def test_a_broken_case_can_be_dismissed_on_its_page_with_the_right(folder: Path, enter: Enter) -> None:
    imported(folder)
    checked()
    published_checks.run_check(due(folder, 14).pk)
    address = reverse("admin:improve-broken", args=["promises: window"])
    assert enter("agent").post(address, {"do": "dismiss", "reason": "No"}).status_code == 403
    editor = enter("editor")
    assert b"Explain briefly" in editor.post(address, {"do": "dismiss", "reason": ""}).content
    assert editor.get(address).status_code == 200
    editor.post(address, {"do": "dismiss", "reason": "Now 14 days"})
    assert editor.get(address).status_code == 404


def test_a_waiting_check_collects_articles_without_rewriting_its_row(workspace: Workspace, folder: Path) -> None:
    (folder / "hours.md").write_text("# Opening hours\n\nWe are here from nine to five.\n")
    imported(folder)
    deliver_due()
    deliver_due()
    check, program = ArticleCheck.objects.get(), service(workspace, "kb:read")
    collected = set(Article.objects.values_list("pk", flat=True))
    assert check.articles == [] and set(published_checks.checked_articles(check)) == collected and len(collected) == 2
    address = f"/api/v1/article-checks?article={min(collected)}"
    [listed] = program.get(address).json()["results"]
    assert {UUID(one) for one in listed["articles"]} == collected
    assert set(checked().articles) == collected
    assert [one["state"] for one in program.get(address).json()["results"]] == ["done"]


@pytest.mark.long
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


def test_why_a_check_could_not_be_run_is_stored_in_the_workspaces_language(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(check: ArticleCheck) -> None:
        raise ModelUnavailable

    Workspace.objects.update(locale="de-CH")
    imported(folder)
    check = due(folder, 14)
    monkeypatch.setattr(published_checks, "_compared", lost)
    tasks.check_articles(str(workspace.pk), str(check.pk))
    check.refresh_from_db()
    assert check.problem == "Der Assistent kann gerade nicht antworten."
