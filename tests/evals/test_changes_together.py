"""Articles published by imports, sources, REST and plans are compared together, by customers' questions."""

import io
import json
from collections.abc import Sequence
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

from kb.afterwards import in_words
from kb.indexing.index import sync_articles
from kb.models import Article, Plan
from kb.ports import afterwards
from kb.scheduling import make_plan
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Audience, Citation, Message, Source
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.console.articles.due_plans import carry_out_due
from supportbot.evals.articles import (
    affected_questions,
    answer_preview,
    changed_articles,
    draft_checks,
    earlier_articles,
    published_checks,
)
from supportbot.evals.models import ArticleCheck, ChangedArticle, DraftCheck
from supportbot.evals.receivers import on_conversations_erased, on_customer_forgotten
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from tests.console.conftest import Enter, logged_in, person
from tests.console.conftest import enter as enter
from tests.evals.checked_articles import RETURNS, imported, written
from tests.pages import visible_text
from tests.rest import service

pytestmark = pytest.mark.django_db
DAYS = "How many days do I have to return unused items?"
CARDS = "Do you sell gift cards?"
GIFT_CARDS = "# Gift cards\n\nWe sell gift cards of 20 to 200 euros.\n"


@pytest.fixture(autouse=True)
def questions(alice: Customer) -> None:
    for question in (DAYS, CARDS, "Thanks!"):
        add_customer_message(start_conversation(alice.pk).pk, text=question, client_id="c1")


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    """A folder with an article that was imported long ago; the workspace has no gates."""
    imported(written(tmp_path, 60))
    settled()
    return tmp_path


def settled() -> None:
    """Delete all checks and comparisons, as if the articles had been published yesterday."""
    sync_articles(list(Article.objects.values_list("pk", flat=True)))
    deliver_due()
    for model in (ArticleCheck, ChangedArticle, DraftCheck):
        model.objects.all().delete()
    Article.objects.update(published_at=now() - timedelta(days=1))


def begun() -> DraftCheck | None:
    """Announce the changes and run their check; return the comparison that it starts."""
    sync_articles(list(Article.objects.filter(state="live").values_list("pk", flat=True)))
    deliver_due()
    ArticleCheck.objects.exclude(state="done").update(lease_until=now() - timedelta(minutes=1))
    for _, check_id in published_checks.due_checks():
        published_checks.run_check(check_id)
        published_checks.run_check(check_id)  # a message that comes twice
    check = ArticleCheck.objects.order_by("-created_at")[0]
    assert check.state == "done"
    return DraftCheck.objects.filter(pk=check.comparison).first() if check.comparison else None


def compared() -> DraftCheck:
    check = begun()
    assert check is not None
    run_due()
    check.refresh_from_db()
    assert (check.state, check.problem) == ("done", "")
    return check


def run_due() -> None:
    for _, check_id in draft_checks.due_drafts():
        draft_checks.run_draft_check(check_id)


def outcomes(check: DraftCheck) -> dict[str, str]:
    return {row["question"]: row["outcome"] for row in check.rows}


def test_an_import_is_compared_with_the_articles_before_it(folder: Path) -> None:
    (folder / "cards.md").write_text(GIFT_CARDS)
    imported(written(folder, 14))
    check = compared()
    assert outcomes(check) == {DAYS: "changed", CARDS: "better"}
    [days] = [row for row in check.rows if row["question"] == DAYS]
    assert "60 days" in days["before"] and "14 days" in days["after"]
    assert check.articles is not None and len(check.articles) == 2 and check.left_out == 0


def test_a_comparison_uses_the_states_around_the_import_whatever_is_published_later(folder: Path) -> None:
    article = imported(written(folder, 14))
    check = begun()
    assert check is not None
    save_draft(article.pk, Change(body="Closed."))
    publish(article.pk)
    run_due()
    check.refresh_from_db()
    [days] = [row for row in check.rows if row["question"] == DAYS]
    assert "60 days" in days["before"] and "14 days" in days["after"]
    assert "Closed." in str(Article.objects.get(pk=article.pk).live_revision.body)  # type: ignore[union-attr]  # it is live


def test_the_first_articles_are_compared_with_nothing(tmp_path: Path, workspace: Workspace) -> None:
    imported(written(tmp_path, 60))
    assert begun() is None


def test_an_import_that_changes_nothing_compares_nothing(folder: Path) -> None:
    imported(folder)
    deliver_due()
    assert not ArticleCheck.objects.exists()


def test_an_archived_article_makes_answers_worse(folder: Path) -> None:
    article = Article.objects.get()
    conversation = start_conversation(Customer.objects.get().pk)
    add_customer_message(conversation.pk, text="When must parcels be back?", client_id="c1")
    archive(article.pk)
    assert outcomes(compared())[DAYS] == "worse"


def test_a_change_of_audience_is_compared(folder: Path, workspace: Workspace) -> None:
    article = imported(written(folder, 14))
    begun()
    client = service(workspace, "kb:read", "kb:write")
    assert client.patch(f"/api/v1/articles/{article.pk}", {"audience": "internal"}, format="json").status_code == 200
    assert outcomes(compared())[DAYS] == "worse"


def test_publications_over_rest_and_by_a_plan_are_compared(folder: Path, workspace: Workspace) -> None:
    article = Article.objects.get()
    save_draft(article.pk, Change(body=RETURNS.format(days=14)))
    client = service(workspace, "kb:read", "kb:write")
    assert client.post(f"/api/v1/articles/{article.pk}/publish", {}, format="json").status_code == 200
    assert outcomes(compared())[DAYS] == "changed"
    settled()
    save_draft(article.pk, Change(body=RETURNS.format(days=30)))
    make_plan(article.pk, Plan.Step.PUBLISH, now() + timedelta(hours=1), person=person(workspace, "editor"))
    Plan.objects.update(at=now())
    carry_out_due()
    [days] = [row for row in compared().rows if row["question"] == DAYS]
    assert "14 days" in days["before"] and "30 days" in days["after"]


def test_publications_that_the_console_compares_itself_are_not_compared_again(folder: Path, enter: Enter) -> None:
    article = Article.objects.get()
    form = {"title": "Returns", "body": RETURNS.format(days=14), "locale": "en", "audience": "public"}
    address = f"/admin/kb/article/{article.pk}/change/"
    enter("editor").post(address, {**form, "do": "publish", "based_on": "1"})
    assert DraftCheck.objects.get().article_id == article.pk
    assert begun() is None


def test_at_most_36_questions_are_asked_however_many_articles_change(
    folder: Path, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        text = f"Do you sell gift cards of {number} euros?"
        add_customer_message(start_conversation(alice.pk).pk, text=text, client_id="c1")
    for number in range(70):
        (folder / f"cards-{number}.md").write_text(GIFT_CARDS.replace("200", str(200 + number)))
    imported(written(folder, 14))
    asked: list[int] = []
    quoted_if = answer_preview.quoted_if

    def counted(state: Any, questions: Sequence[Any], **more: Any) -> Any:
        asked.append(len(questions))
        return quoted_if(state, questions, **more)

    monkeypatch.setattr("supportbot.evals.articles.changed_articles.quoted_if", counted)
    check = compared()
    assert len(check.rows) == 24 and sum(asked) == 48  # no answer has quoted one of them
    assert check.found is not None and check.found["examined"] <= changed_articles.MOST_EXAMINED


def test_a_comparison_that_cannot_start_does_not_cost_the_check_an_attempt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **_more: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(published_checks, "compare_changes", failing)
    imported(written(folder, 14))
    assert begun() is None
    assert ArticleCheck.objects.get().attempt == 1


def test_only_comparisons_with_results_have_a_notice(folder: Path) -> None:
    imported(written(folder, 14))
    check = compared()
    assert affected_questions.unseen() == [check]
    same = [{**row, "outcome": "same"} for row in check.rows]
    nothing = {"contradictions": [], "duplicates": []}
    DraftCheck.objects.update(rows=same, found=nothing)
    assert affected_questions.unseen() == []
    for told in ({"problem": "It stopped."}, {"problem": "", "found": nothing | {"duplicates": [{"ours": "A"}]}}):
        DraftCheck.objects.update(**told)
        assert affected_questions.unseen() == [check]


def test_articles_that_answers_have_quoted_are_compared_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affected_questions, "MOST_TOGETHER", 1)
    (folder / "cards.md").write_text(GIFT_CARDS)
    imported(written(folder, 14))
    check = compared()
    assert check.articles is not None and len(check.articles) == 1 and check.left_out == 1


def test_a_worker_that_dies_costs_one_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_checks, "AT_ONCE", 1)
    (folder / "cards.md").write_text(GIFT_CARDS)
    imported(written(folder, 14))
    check = begun()
    assert check is not None
    quoted_if, asked = answer_preview.quoted_if, list[str]()

    def dying(state: Any, questions: Sequence[Any], **more: Any) -> Any:
        asked.extend(one.question for one in questions)
        if len(asked) == 3:
            raise RuntimeError
        return quoted_if(state, questions, **more)

    monkeypatch.setattr("supportbot.evals.articles.changed_articles.quoted_if", dying)
    run_due()
    check.refresh_from_db()
    assert check.state == "running" and len(check.rows) == 1
    DraftCheck.objects.update(lease_until=now())
    run_due()
    check.refresh_from_db()
    assert check.state == "done" and len(check.rows) == 2 and len(asked) == 5


def test_a_comparison_is_cancelled_and_continued(folder: Path) -> None:
    imported(written(folder, 14))
    check = begun()
    assert check is not None
    draft_checks.cancel(check.pk)
    assert draft_checks.due_drafts() == []
    draft_checks.resume(check.pk)
    previous_version = DraftCheck.objects.filter(state="waiting", lease_until__lte=now())
    assert not previous_version.exists()  # the page would be for a draft
    run_due()
    check.refresh_from_db()
    assert check.state == "done" and check.rows


def test_the_number_of_waiting_comparisons_is_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affected_questions, "MOST_WAITING", 1)
    for days in (14, 15):
        imported(written(folder, days))
        begun()
    assert DraftCheck.objects.count() == 1


def test_a_comparison_contains_no_personal_data_and_is_deleted_when_a_customer_is_erased(
    folder: Path, alice: Customer
) -> None:
    mail = "I am alice@example.com. How many days do I have to return unused items?"
    add_customer_message(start_conversation(alice.pk).pk, text=mail, client_id="c1")
    imported(written(folder, 14))
    check = compared()
    assert check.rows and "alice@example.com" not in f"{check.rows}{check.items}"
    on_customer_forgotten(Announcement(topic="customer_forgotten", object_id=alice.pk))
    assert not DraftCheck.objects.exists()


def test_an_unfinished_comparison_is_deleted_when_a_conversation_is_erased(folder: Path) -> None:
    for days in (14, 15):
        imported(written(folder, days))
        begun()
    asking, waiting = DraftCheck.objects.order_by("created_at")
    DraftCheck.objects.filter(pk=asking.pk).update(items=[{"question": "I am alice@example.com."}])
    on_conversations_erased([])
    assert list(DraftCheck.objects.values_list("pk", flat=True)) == [waiting.pk]


def test_contradictions_with_other_articles_and_repetitions_are_found(folder: Path) -> None:
    other = create_article(Change(title="Policy", body="You can return unused items within 60 days of delivery."))
    publish(other.pk)
    settled()
    imported(written(folder, 14))
    check = compared()
    assert check.found is not None
    [found] = check.found["contradictions"]
    assert "14 days" in found["ours"] and "60 days" in found["theirs"] and found["other"] == str(other.pk)
    settled()
    imported(written(folder, 60))
    check = compared()
    assert check.found is not None and check.found["contradictions"] == []


def test_a_question_whose_answer_quoted_an_article_comes_first(folder: Path, alice: Customer) -> None:
    conversation = start_conversation(alice.pk)
    add_customer_message(conversation.pk, text="And parcels?", client_id="c1")
    answer = Message.objects.create(
        conversation=conversation, seq=9, source=Source.ASSISTANT, audience=Audience.EVERYONE, text="60 days"
    )
    article = Article.objects.get()
    Citation.objects.create(message=answer, position=1, article_id=article.pk, revision=1, start=0, end=1, quote="Y")
    archive(article.pk)
    assert next(iter(outcomes(compared()))) == "And parcels?"


def words(client: Client, address: str) -> str:
    return visible_text(LexborHTMLParser(client.get(address).content.decode()).body, " ")


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


def test_a_publication_without_a_comparison_does_not_report_an_earlier_one(
    folder: Path, workspace: Workspace, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = imported(written(folder, 14))
    assert outcomes(compared())[DAYS] == "changed"
    monkeypatch.setattr(affected_questions, "MOST_WAITING", 0)
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


def test_a_publication_that_changes_nothing_reports_no_earlier_comparison(folder: Path) -> None:
    article = imported(written(folder, 14))
    compared()
    began = now()
    imported(folder)
    assert afterwards([article.pk], began, now())["state"] == "none"


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


def test_new_articles_of_an_import_do_not_exist_before_it_however_many_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_articles, "MOST", 2)
    for number in range(6):
        (folder / f"cards-{number}.md").write_text(GIFT_CARDS.replace("200", str(200 + number)))
    imported(written(folder, 14))
    check = compared()
    [cards] = [row for row in check.rows if row["question"] == CARDS]
    assert "euros" not in cards["before"] and "euros" in cards["after"]
    assert outcomes(check) == {DAYS: "changed", CARDS: "better"}


def test_before_an_import_nobody_found_the_new_articles_that_it_leaves_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affected_questions, "_most_quoted", lambda names: [names[0]])
    for number in range(3):
        (folder / f"cards-{number}.md").write_text(GIFT_CARDS.replace("200", str(200 + number)))
    imported(folder)
    check = compared()
    [cards] = [row for row in check.rows if row["question"] == CARDS]
    assert check.left_out == 2 and "euros" not in cards["before"] and "euros" in cards["after"]


def test_workspaces_take_turns_with_their_comparisons(other_workspace: Workspace) -> None:
    def waiting(since: timedelta, **facts: Any) -> DraftCheck:
        made: DraftCheck = DraftCheck.objects.create(articles={}, lease_until=None, created_at=now() - since, **facts)
        return made

    many = [waiting(timedelta(hours=9 - number)) for number in range(5)]
    with workspace_scope(other_workspace.pk):
        late = waiting(timedelta(minutes=1))
    assert [pk for _, pk in draft_checks.due_drafts()] == [many[0].pk, late.pk, many[1].pk]
    DraftCheck.objects.filter(pk=many[0].pk).update(state="running", lease_until=now() + timedelta(minutes=1))
    assert [pk for _, pk in draft_checks.due_drafts()] == [late.pk, many[1].pk, many[2].pk]
    awaited = DraftCheck.objects.create(article_id=create_article(Change(title="New", body="New.")).pk, revision=1)
    assert draft_checks.due_drafts()[0][1] == awaited.pk, "an editor waits for it"


@pytest.mark.parametrize("ends", ["cancelled", "given up", "replaced"])
def test_a_comparison_that_ends_early_forgets_personal_data(
    folder: Path, alice: Customer, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    mail = "I am alice@example.com. How many days do I have to return unused items?"
    add_customer_message(start_conversation(alice.pk).pk, text=mail, client_id="c1")
    article = imported(written(folder, 14))
    check = begun()
    assert check is not None

    def failing(*_: Any, **_more: Any) -> Any:
        raise RuntimeError

    with monkeypatch.context() as failure:
        failure.setattr("supportbot.evals.articles.changed_articles.quoted_if", failing)
        run_due()
    assert "alice@example.com" in str(DraftCheck.objects.get().items), (
        "questions are chosen, and none has been asked yet"
    )
    if ends == "cancelled":
        draft_checks.cancel(check.pk)
    elif ends == "given up":
        DraftCheck.objects.update(tries=draft_checks.MOST_TRIES, lease_until=now())
        run_due()
    else:
        DraftCheck.objects.update(article_id=article.pk, former={}, articles=None)
        save_draft(article.pk, Change(body=RETURNS.format(days=30)))
        publish(article.pk)
        affected_questions.compare_publication(article.pk, None)
    check.refresh_from_db()
    assert not check.is_open and check.items and "alice@example.com" not in str(check.items)
    if ends == "cancelled":
        draft_checks.resume(check.pk)
        run_due()
        check.refresh_from_db()
        assert check.state == "done" and len(check.rows) == len(check.items or ())
