"""The results of comparisons on pages, over REST and in the reports of imports: each shows its own comparison."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from kb.ports import afterwards
from kb.publication_report import in_words
from kb.services import Change, publish, save_draft
from supportbot.accounts.models import Workspace
from supportbot.evals.articles import batch_comparison, publication_comparison, published_checks
from supportbot.evals.models import ArticleCheck, DraftCheck
from tests.console.conftest import Enter, logged_in, person
from tests.console.conftest import enter as enter
from tests.evals.checked_articles import RETURNS, imported, written
from tests.evals.compared_articles import DAYS, GIFT_CARDS, begun, compared, outcomes, run_due
from tests.evals.compared_articles import folder as folder
from tests.evals.compared_articles import questions as questions
from tests.pages import visible_text
from tests.rest import service

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_only_comparisons_with_results_have_a_notice(folder: Path) -> None:
    imported(written(folder, 14))
    check = compared()
    assert batch_comparison.unseen() == [check]
    same = [{**row, "outcome": "same"} for row in check.rows]
    nothing = {"contradictions": [], "duplicates": []}
    DraftCheck.objects.update(rows=same, found=nothing)
    assert batch_comparison.unseen() == []
    for told in ({"problem": "It stopped."}, {"problem": "", "found": nothing | {"duplicates": [{"ours": "A"}]}}):
        DraftCheck.objects.update(**told)
        assert batch_comparison.unseen() == [check]


def words(client: Client, address: str) -> str:
    return visible_text(LexborHTMLParser(client.get(address).content.decode()).body, " ")


@pytest.mark.long
def test_pages_show_changes_and_show_questions_only_with_the_right_to_read_conversations(
    folder: Path, enter: Enter
) -> None:
    article = imported(written(folder, 14))
    check = compared()
    editor, supervisor = enter("editor"), enter("supervisor")
    page = reverse("admin:article-comparison", args=[check.pk])
    for listing in ("/admin/", "/admin/kb/article/"):
        assert page in editor.get(listing).content.decode() and "“Returns” was published" in words(editor, listing)
    assert "Changed 1" in words(editor, f"/admin/kb/article/{article.pk}/change/")
    assert DAYS in words(supervisor, page)
    hidden = words(editor, page)
    assert DAYS not in hidden and "Changed 1" in hidden and "60 days" in hidden and "14 days" in hidden
    assert supervisor.post(f"{page}seen/").status_code == 403  # an agent writes no articles
    editor.post(f"{page}seen/")
    assert page not in editor.get("/admin/").content.decode()


@pytest.mark.long
def test_the_page_of_a_comparison_cancels_and_continues_it(
    folder: Path, enter: Enter, other_workspace: Workspace
) -> None:
    article = Article.objects.get()
    save_draft(article.pk, Change(body=RETURNS.format(days=14)))
    publish(article.pk)
    check = begun()
    assert check is not None
    editor, page = enter("editor"), reverse("admin:article-comparison", args=[check.pk])
    assert "Waiting to start" in words(editor, page)
    assert enter("agent").post(page, {"do": "cancel"}).status_code == 403
    editor.post(page, {"do": "cancel"})
    assert DraftCheck.objects.get().state == "cancelled" and "Cancelled" in words(editor, page)
    editor.post(page, {"do": "continue"})
    assert DraftCheck.objects.get().state == "waiting"
    stranger = logged_in(person(other_workspace, "admin"))
    assert stranger.get(page).status_code == 404


@pytest.mark.long
def test_rest_links_to_a_comparison_that_is_filled_in(folder: Path, workspace: Workspace) -> None:
    article = Article.objects.get()
    save_draft(article.pk, Change(body=RETURNS.format(days=14)))
    client = service(workspace, "kb:read", "kb:write")
    address = f"/api/v1/articles/{article.pk}/comparison"
    assert client.get(address).json()["state"] == "none"
    published = client.post(f"/api/v1/articles/{article.pk}/publish", {}, format="json").json()
    assert published["comparison"] == address
    assert client.get(address).json()["state"] == "waiting"
    begun()
    assert client.get(address).json()["state"] == "waiting"
    run_due()
    told = client.get(address).json()
    assert told["state"] == "done" and told["outcomes"] == {"worse": 0, "changed": 1, "better": 0, "same": 1}
    assert told["questions"] is None and told["contradictions"] == []
    reader = service(workspace, "kb:read", "conversations:read")
    [days] = [one for one in reader.get(address).json()["questions"] if one["question"] == DAYS]
    assert days["outcome"] == "changed" and "60 days" in days["before"] and "14 days" in days["after"]
    [check] = client.get("/api/v1/article-checks").json()["results"]
    assert client.get(f"/api/v1/article-comparisons/{check['comparison']}").json() == told


@pytest.mark.long
def test_an_import_names_the_page_of_its_comparison(folder: Path) -> None:
    began, out = now(), io.StringIO()
    call_command("kb_import", str(written(folder, 14)), "--json", stdout=out, stderr=io.StringIO())
    told = json.loads(out.getvalue())["comparison"]
    article = Article.objects.get()
    assert told["state"] == "waiting" and told["address"].endswith(f"/admin/kb/article/{article.pk}/change/")
    compared()
    found = afterwards([article.pk], began, now())
    assert (found["state"], found["changed"], found["broken"]) == ("done", 1, [])
    assert found["address"].endswith(reverse("admin:article-comparison", args=[DraftCheck.objects.get().pk]))
    assert "1 changed" in in_words(found)
    again = io.StringIO()
    call_command("kb_import", str(folder), "--json", stdout=again, stderr=io.StringIO())
    assert "comparison" not in json.loads(again.getvalue())  # nothing was changed


@pytest.mark.long
def test_a_publication_without_a_comparison_does_not_report_an_earlier_one(
    folder: Path, workspace: Workspace, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = imported(written(folder, 14))
    assert outcomes(compared())[DAYS] == "changed"
    monkeypatch.setattr(publication_comparison, "MOST_WAITING", 0)
    editor, began, out = enter("editor"), now(), io.StringIO()
    call_command("kb_import", str(written(folder, 30)), "--json", stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue())["comparison"]["state"] == "waiting"
    assert begun() is None
    told = afterwards([article.pk], began, now())
    assert (told["state"], told["changed"]) == ("none", 0)
    found = service(workspace, "kb:read").get(f"/api/v1/articles/{article.pk}/comparison").json()
    assert (found["state"], found["outcomes"]["changed"]) == ("none", 0)
    times = {"began": began.timestamp(), "ended": now().timestamp()}
    page = editor.post("/admin/import/state/", {"article": [str(article.pk)], **times}).json()
    assert page["is_compared"] and page["compared"] == ""


@pytest.mark.long
def test_a_publication_that_changes_nothing_reports_no_earlier_comparison(folder: Path) -> None:
    article = imported(written(folder, 14))
    compared()
    began = now()
    imported(folder)
    assert afterwards([article.pk], began, now())["state"] == "none"


@pytest.mark.long
def test_the_page_of_an_import_shows_its_own_comparison(folder: Path, enter: Enter) -> None:
    editor = enter("editor")

    def stored(days: int) -> dict[str, Any]:
        file = SimpleUploadedFile("returns.md", RETURNS.format(days=days).encode())
        form = {"files": file, "path": "returns.md", "do": "publish"}
        facts = editor.post("/admin/import/", form, headers={"accept": "application/json"}).json()
        return {"article": facts["articles"], "began": facts["began"], "ended": facts["ended"]}

    def state(imported: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = editor.post("/admin/import/state/", imported).json()
        return found

    first = stored(14)
    assert (state(first)["compared"], state(first)["is_compared"]) == ("", False)
    its_own = reverse("admin:article-comparison", args=[compared().pk])
    assert state(first)["is_compared"] and "Changed" in state(first)["compared"]
    assert its_own in state(first)["compared"]
    second = stored(30)
    assert its_own in state(first)["compared"], "even if another comparison is waiting"
    assert (state(second)["compared"], state(second)["is_compared"]) == ("", False)
    newer = reverse("admin:article-comparison", args=[compared().pk])
    assert its_own in state(first)["compared"] and newer in state(second)["compared"]
    assert state({"article": first["article"], "began": "soon", "ended": "1e99"})["compared"] == ""


@pytest.mark.long
@pytest.mark.parametrize("ahead", [timedelta(seconds=-5), timedelta(minutes=2)])
def test_the_page_of_an_import_shows_its_own_comparison_whatever_the_workers_clock_says(
    folder: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """An import sends its files one by one; here, a worker takes a check between two of them."""
    monkeypatch.setattr(published_checks, "now", lambda: now() + ahead)
    editor = enter("editor")

    def stored(name: str, text: str) -> dict[str, Any]:
        form = {"files": SimpleUploadedFile(name, text.encode()), "path": name, "do": "publish"}
        facts: dict[str, Any] = editor.post("/admin/import/", form, headers={"accept": "application/json"}).json()
        return facts

    def state() -> dict[str, Any]:
        both = {"article": [*first["articles"], *last["articles"]], "began": first["began"], "ended": last["ended"]}
        found: dict[str, Any] = editor.post("/admin/import/state/", both).json()
        return found

    first = stored("returns.md", RETURNS.format(days=14))
    earlier = compared()
    last = stored("cards.md", GIFT_CARDS)
    assert (state()["compared"], state()["is_compared"]) == ("", False)
    later = compared()
    assert later != earlier and state()["is_compared"]
    assert reverse("admin:article-comparison", args=[later.pk]) in state()["compared"]


@pytest.mark.long
def test_a_check_run_by_a_previous_version_is_shown_by_its_start(folder: Path, enter: Enter) -> None:
    editor = enter("editor")
    form = {"files": SimpleUploadedFile("returns.md", RETURNS.format(days=14).encode()), "path": "returns.md"}
    sent = editor.post("/admin/import/", {**form, "do": "publish"}, headers={"accept": "application/json"}).json()
    asked = {"article": sent["articles"], "began": sent["began"], "ended": sent["ended"]}
    page = reverse("admin:article-comparison", args=[compared().pk])
    ArticleCheck.objects.update(taken_at=None)
    assert page in editor.post("/admin/import/state/", asked).json()["compared"]
    ArticleCheck.objects.update(created_at=now() - timedelta(hours=1))
    assert editor.post("/admin/import/state/", asked).json()["compared"] == "", (
        "the comparison of an earlier publication"
    )
