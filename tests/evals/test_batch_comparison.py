"""Articles published by imports, sources, REST and plans are compared together, by customers' questions."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now

from kb.models import Article, Plan
from kb.scheduling import make_plan
from kb.services import Change, archive, create_article, publish, save_draft
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Audience, Citation, Message, Source
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.console.articles.due_plans import carry_out_due
from supportbot.evals.articles import (
    answer_preview,
    batch_comparison,
    draft_checks,
    earlier_articles,
    publication_comparison,
    published_checks,
)
from supportbot.evals.models import ArticleCheck, DraftCheck
from supportbot.evals.outbox_consumers import on_conversations_erased, on_customer_forgotten
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from tests.console.conftest import Enter, person
from tests.console.conftest import enter as enter
from tests.evals.checked_articles import RETURNS, imported, written
from tests.evals.compared_articles import CARDS, DAYS, GIFT_CARDS, begun, compared, outcomes, run_due, settled
from tests.evals.compared_articles import folder as folder
from tests.evals.compared_articles import questions as questions
from tests.rest import service

pytestmark = pytest.mark.django_db


def test_an_import_is_compared_with_the_articles_before_it(folder: Path) -> None:
    (folder / "cards.md").write_text(GIFT_CARDS)
    imported(written(folder, 14))
    check = compared()
    assert outcomes(check) == {DAYS: "changed", CARDS: "better"}
    [days] = [row for row in check.rows if row["question"] == DAYS]
    assert "60 days" in days["before"] and "14 days" in days["after"]
    assert check.articles is not None and len(check.articles) == 2 and check.left_out == 0


@pytest.mark.long
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


@pytest.mark.long
def test_an_archived_article_makes_answers_worse(folder: Path) -> None:
    article = Article.objects.get()
    conversation = start_conversation(Customer.objects.get().pk)
    add_customer_message(conversation.pk, text="When must parcels be back?", client_id="c1")
    archive(article.pk)
    assert outcomes(compared())[DAYS] == "worse"


@pytest.mark.long
def test_a_change_of_audience_is_compared(folder: Path, workspace: Workspace) -> None:
    article = imported(written(folder, 14))
    begun()
    client = service(workspace, "kb:read", "kb:write")
    assert client.patch(f"/api/v1/articles/{article.pk}", {"audience": "internal"}, format="json").status_code == 200
    assert outcomes(compared())[DAYS] == "worse"


@pytest.mark.long
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


@pytest.mark.long
def test_publications_that_the_console_compares_itself_are_not_compared_again(folder: Path, enter: Enter) -> None:
    article = Article.objects.get()
    form = {"title": "Returns", "body": RETURNS.format(days=14), "locale": "en", "audience": "public"}
    address = f"/admin/kb/article/{article.pk}/change/"
    enter("editor").post(address, {**form, "do": "publish", "based_on": "1"})
    assert DraftCheck.objects.get().article_id == article.pk
    assert begun() is None


@pytest.mark.long
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

    monkeypatch.setattr("supportbot.evals.articles.batch_comparison.quoted_if", counted)
    check = compared()
    assert len(check.rows) == 24 and sum(asked) == 48  # no answer has quoted one of them
    assert check.found is not None and check.found["examined"] <= batch_comparison.MOST_EXAMINED


def test_a_comparison_that_cannot_start_does_not_cost_the_check_an_attempt(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **_more: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(published_checks, "compare_changes", failing)
    imported(written(folder, 14))
    assert begun() is None
    assert ArticleCheck.objects.get().attempt == 1


@pytest.mark.long
def test_articles_that_answers_have_quoted_are_compared_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication_comparison, "MOST_TOGETHER", 1)
    (folder / "cards.md").write_text(GIFT_CARDS)
    imported(written(folder, 14))
    check = compared()
    assert check.articles is not None and len(check.articles) == 1 and check.left_out == 1


@pytest.mark.long
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

    monkeypatch.setattr("supportbot.evals.articles.batch_comparison.quoted_if", dying)
    run_due()
    check.refresh_from_db()
    assert check.state == "running" and len(check.rows) == 1
    DraftCheck.objects.update(lease_until=now())
    run_due()
    check.refresh_from_db()
    assert check.state == "done" and len(check.rows) == 2 and len(asked) == 5


@pytest.mark.long
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


@pytest.mark.long
def test_the_number_of_waiting_comparisons_is_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication_comparison, "MOST_WAITING", 1)
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_before_an_import_nobody_found_the_new_articles_that_it_leaves_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication_comparison, "_most_quoted", lambda names: [names[0]])
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


@pytest.mark.one_in(3)
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
        failure.setattr("supportbot.evals.articles.batch_comparison.quoted_if", failing)
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
        publication_comparison.compare_publication(article.pk, None)
    check.refresh_from_db()
    assert not check.is_open and check.items and "alice@example.com" not in str(check.items)
    if ends == "cancelled":
        draft_checks.resume(check.pk)
        run_due()
        check.refresh_from_db()
        assert check.state == "done" and len(check.rows) == len(check.items or ())
