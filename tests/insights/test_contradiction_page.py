"""The page of two contradicting articles: both passages, an edit that makes them agree, its replay and publication."""

import pytest
from django.test import Client
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from kb.services import Change, save_draft
from supportbot.accounts.models import User, Workspace
from supportbot.insights.improve.contradictions import contradictions
from supportbot.insights.improve.proposed_edits import replaced
from supportbot.insights.models import Handled
from tests.console.conftest import logged_in, person
from tests.insights.answered_questions import article, ask, cited
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
RETURNS = "Intro to returns.\n\nYou can send unused items\nback within 60 days of delivery. Keep the box."
GIFTS = "Unused items can be sent back within 14 days of delivery."


@pytest.fixture
def gifts(workspace: Workspace) -> Article:
    article("Returns", RETURNS)
    return article("Gifts", GIFTS)


def address() -> str:
    return reverse("admin:improve-contradiction", args=[contradictions()[0].subject])


def shown(client: Client, where: str = "", **data: str) -> LexborHTMLParser:
    answer = client.post(address(), data, follow=True) if data else client.get(f"{address()}{where}")
    return LexborHTMLParser(answer.content.decode())


def test_both_passages_are_shown_side_by_side_with_their_figures_marked(editor: Client, gifts: Article) -> None:
    listing = LexborHTMLParser(editor.get("/admin/improve/?kind=contradicting").content.decode())
    assert [one.text() for one in listing.css(".ba mark")] == ["60 days", "14 days"]
    assert address() in {one.attributes["href"] for one in listing.css("main a")}
    page = shown(editor)
    sides = {one.css_first("a").text(): visible_text(one.css_first(".said"), " ") for one in page.css(".ba > section")}
    assert sides["Gifts"] == "Unused items can be sent back within 14 days of delivery."
    assert "within 60 days of delivery. Keep the box." in sides["Returns"] and "Intro" not in sides["Returns"]
    assert [one.text() for one in page.css(".ba mark")] == ["60 days", "14 days"]


def test_the_proposed_edit_gives_one_article_the_others_figures(editor: Client, gifts: Article) -> None:
    older = shown(editor).css_first("#body").text().strip()
    assert older == RETURNS.replace("60 days", "14 days")
    other = shown(editor, f"?article={gifts.pk}")
    assert other.css_first("#body").text().strip() == GIFTS.replace("14 days", "60 days")
    assert other.css_first("#into option[selected]").text().strip() == "Gifts"
    assert {one.text() for one in other.css(".diff ins")} == {"60"}


@pytest.mark.parametrize(
    ("theirs", "proposed"),
    [
        (
            "Unused items can be sent back for 40 € within 30 days.",
            "Unused items can be sent back within 30 days for 40 €.",
        ),
        ("Unused items can be sent back for 40 € within 30 days or 40 days.", None),
    ],
)
def test_figures_are_exchanged_for_those_of_the_same_unit(
    editor: Client, workspace: Workspace, theirs: str, proposed: str | None
) -> None:
    ours = "Unused items can be sent back within 14 days for 25 €."
    edited = article("Returns", ours)
    article("Gifts", theirs)
    assert shown(editor, f"?article={edited.pk}").css_first("#body").text().strip() == (proposed or ours)


@pytest.mark.long
def test_the_questions_that_quote_them_are_replayed_and_the_edit_published(editor: Client, gifts: Article) -> None:
    ask("How many days do I have to send back a gift?", cited(gifts, GIFTS))
    edit = {"article": str(gifts.pk), "title": "Gifts", "body": GIFTS.replace("14 days", "60 days"), "based_on": "1"}
    page = shown(editor, do="replay", **edit)
    [replayed] = page.css("[aria-label='How many days do I have to send back a gift?']")
    assert "14 days" in replayed.css_first(".ba > section").text() and "60 days" in replayed.css_first(".draft").text()
    gifts.refresh_from_db()
    assert gifts.live_revision is not None and gifts.live_revision.number == 1
    published = editor.post(address(), {"do": "publish", **edit}, follow=True)
    assert b"Customers can read it now." in published.content
    gifts.refresh_from_db()
    assert gifts.live_revision is not None and "60 days" in gifts.live_revision.body
    assert contradictions() == [] and not Handled.objects.exists()


def test_an_edit_that_leaves_the_contradiction_leaves_it_listed(editor: Client, gifts: Article) -> None:
    edit = {"article": str(gifts.pk), "title": "Gifts", "body": f"{GIFTS}\n\nAsk us.", "based_on": "1"}
    editor.post(address(), {"do": "publish", **edit})
    assert len(contradictions()) == 1


def test_a_colleagues_draft_is_not_overwritten_and_the_typed_text_is_kept(editor: Client, gifts: Article) -> None:
    save_draft(gifts.pk, Change(body="Gifts can be sent back."))
    late = shown(editor, do="publish", article=str(gifts.pk), title="Gifts", body="Typed by me.", based_on="1")
    assert "Revision 2 has been saved in the meantime" in visible_text(late)
    assert late.css_first("#body").text().strip() == "Typed by me."
    assert len(contradictions()) == 1


def test_writers_can_dismiss_a_contradiction_with_a_reason(
    editor: Client, gifts: Article, workspace: Workspace, mallory: User
) -> None:
    where = address()
    assert "Explain briefly" in visible_text(shown(editor, do="dismiss", reason=" "))
    agent = logged_in(person(workspace, "agent"))
    assert agent.get(where).status_code == 200
    assert agent.post(where, {"do": "dismiss", "reason": "No"}).status_code == 403
    mallory.is_staff = True
    mallory.save()
    assert logged_in(mallory).get(where).status_code == 404
    assert not Handled.objects.exists()
    editor.post(where, {"do": "dismiss", "reason": "Gifts differ"})
    assert contradictions() == [] and editor.get(where).status_code == 404


@pytest.mark.long
def test_typed_text_is_kept_after_a_colleague_has_settled_the_contradiction(editor: Client, gifts: Article) -> None:
    where = address()
    edit = {"article": str(gifts.pk), "title": "Gifts", "body": "Typed by me for hours.", "based_on": "1"}
    editor.post(where, {"do": "dismiss", "reason": "Gifts differ"})
    late = editor.post(where, {"do": "publish", **edit})
    page = LexborHTMLParser(late.content.decode())
    assert late.status_code == 409 and page.css_first("#body").text() == "Typed by me for hours."
    assert f"/admin/kb/article/{gifts.pk}/change/" in {one.attributes["href"] for one in page.css("main a")}
    gifts.refresh_from_db()
    assert gifts.live_revision is not None and gifts.live_revision.body == GIFTS
    again = editor.post(where, {"do": "dismiss", "reason": "Again"}, follow=True)
    assert again.status_code == 200 and b"This has been dealt with already." in again.content


@pytest.mark.long
def test_publishing_an_edit_twice_reports_that_it_is_done(editor: Client, gifts: Article) -> None:
    where = address()
    edit = {"article": str(gifts.pk), "title": "Gifts", "body": GIFTS.replace("14 days", "60 days"), "based_on": "1"}
    for words in (b"Customers can read it now.", b"This has been dealt with already."):
        answer = editor.post(where, {"do": "publish", **edit}, follow=True)
        assert answer.status_code == 200 and words in answer.content
    gifts.refresh_from_db()
    assert gifts.live_revision is not None and gifts.live_revision.number == 2


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("A\n\nWithin  60 days\nof delivery.", "A\n\nWithin  14 days\nof delivery."),
        ("Within 60 days of purchase.", "Within 60 days of purchase."),  # another sentence stays unchanged
    ],
)
def test_parts_of_a_sentence_are_replaced_whatever_its_spaces_are(body: str, changed: str) -> None:
    assert replaced(body, "Within 60 days of delivery.", [(7, 14, "14 days")]) == changed
