"""The check before publishing: real questions before and after, contradictions and near-duplicates."""

import threading
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.draft_contradictions import Rarity, contradict, findings, likeness
from kb.figure_statements import statements_of
from kb.indexing.models import Chunk
from kb.indexing.sync import sync_articles
from kb.models import Article, Revision
from kb.services import Change, create_article, publish, save_draft
from kb.validation import ArticleText
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.models import Message, Source
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals import outbox_consumers
from supportbot.evals.articles import draft_checks
from supportbot.evals.articles.answer_comparison import outcome_of
from supportbot.evals.articles.answer_preview import Quoted
from supportbot.evals.models import DraftCheck
from supportbot.outbox.models import Announcement
from tests.console.conftest import Enter
from tests.pages import visible_text
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
RETURNS = "## Returns\n\nYou can return unused items within 60 days of delivery. The label is free.\n"


@pytest.fixture
def returns(workspace: Workspace) -> Article:
    return live("Returns", RETURNS)


def live(title: str, body: str) -> Article:
    article = create_article(Change(title=title, body=body, locale="en"))
    publish(article.pk)
    sync_articles([article.pk])
    return article


def asked(alice: Customer, *questions: str) -> None:
    for question in questions:
        add_customer_message(start_conversation(alice.pk).pk, text=question, client_id="c1")


def test_real_questions_are_answered_before_and_after(
    enter: Enter, returns: Article, alice: Customer, workspace: Workspace
) -> None:
    asked(alice, "How many days do I have to return unused items?", "Do you sell gift cards?", "Thanks!")
    body = f"{RETURNS.replace('60 days', '14 days')}\n## Gift cards\n\nWe sell gift cards of 20 to 200 euros.\n"
    editor = enter("editor")
    form = {"title": "Returns", "body": body, "locale": "en", "audience": "public", "do": "check", "based_on": 1}
    page = f"/admin/kb/article/{returns.pk}/"
    assert editor.post(f"{page}change/", form).headers["Location"] == f"{page}check/"
    before = (Revision.objects.count(), Chunk.objects.count(), Message.objects.count())
    [(_, check_id)] = draft_checks.due_drafts()
    waiting = editor.get(f"{page}check/").content
    assert b"console/reload." in waiting and b"Waiting to start" in waiting and b"<progress" not in waiting
    draft_checks.run_draft_check(check_id)
    assert draft_checks.due_drafts() == []
    shown = LexborHTMLParser(editor.get(f"{page}check/").content.decode())
    assert not shown.css("progress")
    told = {visible_text(row.css_first("summary"), " ").strip(): row.text() for row in shown.css("main details")}
    assert any(one.startswith("Better Do you sell gift cards?") for one in told), told
    [changed] = [text for name, text in told.items() if "How many days" in name]
    assert "60 days" in changed and "14 days" in changed
    assert not any("Thanks" in name for name in told)
    assert (Revision.objects.count(), Chunk.objects.count(), Message.objects.count()) == before
    assert Article.objects.get(pk=returns.pk).live_revision.number == 1  # type: ignore[union-attr]  # it is live
    assert editor.post(f"{page}publish/", {"revision": "1"}).status_code == 409
    assert editor.post(f"{page}publish/", {"revision": "2"}).status_code == 302
    assert Article.objects.get(pk=returns.pk).live_revision.number == 2  # type: ignore[union-attr]
    assert enter("agent").get(f"{page}check/").status_code == 403
    forget_customer = Announcement(topic="customer_forgotten", object_id=alice.pk, workspace_id=workspace.pk)
    outbox_consumers.on_customer_forgotten(forget_customer)
    assert not DraftCheck.objects.exists()


@pytest.mark.long
def test_a_check_can_be_cancelled_continues_and_survives_its_worker(
    enter: Enter, returns: Article, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(alice, "How many days do I have to return unused items?", "Is the label free?", "Do you sell gift cards?")
    save_draft(returns.pk, Change(body="x"))
    editor, page = enter("editor"), f"/admin/kb/article/{returns.pk}/check/"
    monkeypatch.setattr(draft_checks, "AT_ONCE", 1)
    rows, steps = draft_checks.OneArticle.rows, iter(["played", "cancelled", "played", "killed"])

    def step(*given: Any) -> Any:
        match next(steps, "played"):
            case "cancelled":
                editor.post(page, {"do": "cancel"})
            case "killed":
                raise SystemExit
        return rows(*given)

    monkeypatch.setattr(draft_checks.OneArticle, "rows", step)
    for _ in range(2):  # pressed twice, but only one check
        editor.post(page, {"do": "begin"})
    check = DraftCheck.objects.get()
    assert b"console/reload." in editor.get(page).content
    draft_checks.run_draft_check(check.pk)
    check.refresh_from_db()
    assert (check.state, len(check.rows), len(check.items)) == ("cancelled", 1, 3)
    shown = editor.get(page).content
    assert b"1 of 3 checked" in shown and b"console/reload." not in shown
    editor.post(page, {"do": "continue"})
    with pytest.raises(SystemExit):
        draft_checks.run_draft_check(check.pk)
    draft_checks.run_draft_check(check.pk)  # the dead worker's lease still holds
    check.refresh_from_db()
    assert (check.state, len(check.rows)) == ("running", 2)
    DraftCheck.objects.update(lease_until=now())
    draft_checks.run_draft_check(check.pk)
    check.refresh_from_db()
    assert check.state == "done" and [row["question"] for row in check.rows] == [one["question"] for one in check.items]
    outcomes = {row["question"]: row["outcome"] for row in check.rows}
    assert outcomes["How many days do I have to return unused items?"] == "worse"
    assert "better" not in outcomes.values()  # a text without content improves no answer
    assert Revision.objects.count() == 2


def test_questions_stored_while_a_check_is_cancelled_are_masked_too(
    returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, masked = draft_checks.begin(returns), draft_checks._without_names
    questions = [{"question": "Write to alice.w@example.org"}]

    def meanwhile(items: Any) -> Any:
        if not DraftCheck.objects.exclude(items=None).exists():  # a worker that has just claimed it
            DraftCheck.objects.update(items=questions, state="running")
        return masked(items)

    monkeypatch.setattr(draft_checks, "_without_names", meanwhile)
    draft_checks.cancel(check.pk)
    check.refresh_from_db()
    assert check.state == "cancelled" and len(check.items) == 1
    assert "alice.w@example.org" not in str(check.items)


def test_questions_are_shown_to_editors_without_personal_data(enter: Enter, returns: Article, alice: Customer) -> None:
    asked(alice, "How many days do I have to return unused items? Write to alice.w@example.org")
    check = draft_checks.begin(returns)
    draft_checks.run_draft_check(check.pk)
    page = enter("editor").get(f"/admin/kb/article/{returns.pk}/check/").content.decode()
    assert "How many days do I have to return unused items?" in page and "alice.w@example.org" not in page


def test_a_worker_whose_lease_has_expired_writes_nothing(
    returns: Article, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(alice, "How many days do I have to return unused items?", "Is the label free?")
    check, rows = draft_checks.begin(returns), draft_checks.OneArticle.rows

    def slow(*given: Any) -> Any:
        monkeypatch.setattr(draft_checks.OneArticle, "rows", rows)
        DraftCheck.objects.update(lease_until=now())
        draft_checks.run_draft_check(check.pk)  # claimed by another worker
        return [{"question": "Late", "outcome": "worse", "before": "", "after": ""}]

    monkeypatch.setattr(draft_checks.OneArticle, "rows", slow)
    draft_checks.run_draft_check(check.pk)
    check.refresh_from_db()
    assert (check.state, check.attempt) == ("done", 2)
    assert "Late" not in [row["question"] for row in check.rows] and len(check.rows) == len(check.items or ())


@pytest.mark.django_db(transaction=True)  # the lease is extended by a thread with its own connection
def test_a_step_that_takes_longer_than_a_lease_stays_with_its_worker(
    returns: Article, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(alice, "How many days do I have to return unused items?")
    check, rows = draft_checks.begin(returns), draft_checks.OneArticle.rows
    monkeypatch.setattr(draft_checks, "BEAT_SECONDS", 0.01)
    others: list[int] = []

    def slow(*given: Any) -> Any:
        for _ in range(2):
            DraftCheck.objects.update(lease_until=now())
            ends = monotonic() + PATIENCE_SECONDS
            while draft_checks.due_drafts():
                assert monotonic() < ends, "nobody extends the lease"
        draft_checks.run_draft_check(check.pk)  # claimed by another worker
        others.append(DraftCheck.objects.get().attempt)
        return rows(*given)

    monkeypatch.setattr(draft_checks.OneArticle, "rows", slow)
    draft_checks.run_draft_check(check.pk)
    check.refresh_from_db()
    assert (check.state, check.attempt, others) == ("done", 1, [1])
    assert not any(thread.name.startswith("check ") for thread in threading.enumerate())


def test_a_check_that_keeps_failing_is_abandoned(
    enter: Enter, returns: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = draft_checks.begin(returns)

    def fails(*_given: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(draft_checks.OneArticle, "items", fails)
    for _ in range(draft_checks.MOST_TRIES):
        draft_checks.run_draft_check(check.pk)
        assert draft_checks.due_drafts() == [], "it pauses before the next try"
        DraftCheck.objects.filter(state="running").update(lease_until=now())
    check.refresh_from_db()
    assert check.state == "done" and not draft_checks.is_current(check)
    assert b"failed several times" in enter("editor").get(f"/admin/kb/article/{returns.pk}/check/").content


@pytest.mark.parametrize(
    "fact", [{"audience": "internal"}, {"locale": "de"}, {"for_assistant": False}, {"release": ""}]
)
def test_a_check_does_not_cover_later_changes(returns: Article, fact: dict[str, Any]) -> None:
    check = draft_checks.begin(returns)
    draft_checks.run_draft_check(check.pk)
    check.refresh_from_db()
    assert draft_checks.is_current(check)
    if "release" in fact:
        check.facts = {**check.facts, **fact}
    else:
        Article.objects.filter(pk=returns.pk).update(**fact)
    assert not draft_checks.is_current(check)


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ("", "Within 60 days. [1]", "better"),
        ("Within 60 days. [1]", "", "worse"),
        ("Within 60 days. [1]", "Within 60 days. [1]", "same"),
        ("Within 60 days. [1]", "Within 14 days. [1]", "changed"),
        ("Within 60 days. [1]", "Within 60 days of delivery. [1]", "better"),
        ("Within 60 days. [1]", "We like boots.", "worse"),  # its source is lost, however sure the search is
        ("", "We like boots.", "changed"),  # from another page
    ],
)
def test_kinds_of_changes_in_an_answer(before: str, after: str, outcome: str) -> None:
    def quoted(text: str, confidence: float) -> Quoted:
        span = CitedSpan(uuid4(), "returns", "Returns", "", 1, 0, 5, "Within")
        return Quoted(Answer(text, (span,) if "[1]" in text else (), "builtin", is_abstention=not text), confidence)

    assert outcome_of(quoted(before, 0.5), quoted(after, 0.9), "returns") == outcome


def test_a_contradiction_and_a_duplicate_are_shown(enter: Enter, returns: Article) -> None:
    copied = "Our shop in Porto opens daily, offers repairs of tents and jackets, and keeps parcels for collection.\n"
    live("The shop in Porto", copied)
    draft = create_article(Change(title="Holidays", body=f"Unused items can be returned within 2 weeks.\n\n{copied}"))
    save_draft(draft.pk, Change(url="https://shop.example/h"))
    text = LexborHTMLParser(enter("editor").get(f"/admin/kb/article/{draft.pk}/check/").content.decode()).text()
    assert "within 2 weeks" in text and "within 60 days of delivery" in text and "Repeated in other articles" in text


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [
        ("Return unused items within 14 days.", "You can return unused items within 60 days.", True),
        ("Return unused items within 2 weeks.", "You can return unused items within 14 days.", False),
        ("Standard shipping costs €4.90.", "Standard shipping costs 5.90 EUR.", True),
        ("Standard shipping costs €4.90.", "Standard shipping takes 3 days.", False),
        ("Express shipping costs €9.", "A repair of the tent costs €40.", False),
        ("Die Lieferung dauert 3 Tage.", "Die Lieferung dauert 5 Tage.", True),
    ],
)
def test_sentences_about_the_same_thing_with_another_figure_contradict(ours: str, theirs: str, differs: bool) -> None:
    locale = "de" if ours.startswith("Die") else "en"
    [one], [other] = statements_of(ours, locale), statements_of(theirs, locale)
    assert (contradict(one, other) and likeness(one, other, Rarity([one, other])) > 0) is differs


def test_an_articles_own_text_never_contradicts_it(returns: Article, settings: Any) -> None:
    found = findings(ArticleText("Returns", RETURNS.replace("60", "14")), locale="en", article_id=returns.pk)
    assert not found.contradictions and not found.duplicates
    assert Message.objects.filter(source=Source.CUSTOMER).count() == 0
    assert Client().get(f"/admin/kb/article/{returns.pk}/check/").status_code == 302
