"""Customers who were told a figure that has since changed are found and shown."""

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from kb.services import Change, publish, save_draft
from supportbot.accounts.models import Workspace
from supportbot.insights.improve.outdated_answers import outdated_answers
from supportbot.insights.models import Handled
from tests.console.conftest import logged_in, person
from tests.insights.answered_questions import article, ask, cited
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_customers_who_got_a_figure_that_has_changed_are_listed(editor: Client, workspace: Workspace) -> None:
    returns = article("Returns", "You can send items back within 14 days. We are in Freiburg.")
    told = ask("How long?", cited(returns, "You can send items back within 14 days."))
    ask("Where are you?", cited(returns, "We are in Freiburg."))
    save_draft(returns.pk, Change(body="You can send items back within 60 days. We are in Kiel."))
    publish(returns.pk)
    [outdated] = outdated_answers()
    [sentence] = outdated.sentences
    assert [one.conversation for one in sentence.people] == [told.pk]
    assert (sentence.figures, sentence.replacement) == (("14 days",), "You can send items back within 60 days.")
    supervisor = logged_in(person(workspace, "supervisor"))
    assert str(told.pk) in supervisor.get("/admin/improve/?kind=recall").content.decode()
    # A role that may not read chats.
    assert str(told.pk) not in editor.get("/admin/improve/?kind=recall").content.decode()


@pytest.mark.long
def test_publishing_a_new_figure_reports_how_many_customers_were_told_the_old_one(
    editor: Client, workspace: Workspace
) -> None:
    returns = article("Returns", "You can send items back within 14 days. We are in Freiburg.")
    for _ in range(2):
        ask("How long?", cited(returns, "You can send items back within 14 days."))
    page, told = f"/admin/kb/article/{returns.pk}/change/", "In 2 conversations, customers were told figures"
    typed = {"title": "Returns", "locale": "en", "audience": "public", "do": "publish"}
    moved = editor.post(page, typed | {"body": "You can send items back within 14 days. We are in Kiel."}, follow=True)
    assert b"Customers can read it now." in moved.content and told not in moved.content.decode()
    mended = editor.post(page, typed | {"body": "You can send items back within 60 days. We are in Kiel."}, follow=True)
    assert told in mended.content.decode()
    [link] = LexborHTMLParser(mended.content.decode()).css(".told a")
    assert link.text() == "Outdated answers" and "Returns" in editor.get(link.attributes["href"]).content.decode()
    again = editor.post(page, typed | {"body": "You can send items back within 60 days. We are in Bonn."}, follow=True)
    assert told not in again.content.decode()


def test_an_outdated_sentence_is_shown_once_with_all_customers_who_got_it(workspace: Workspace, editor: Client) -> None:
    returns = article("Returns", "You can send items back within 14 days. The label costs 3 euros.")
    for quote in ("You can send items back within 14 days.",) * 3 + ("The label costs 3 euros.",):
        ask("How long?", cited(returns, quote))
    save_draft(returns.pk, Change(body="You can send items back within 60 days. The label costs 5 euros."))
    publish(returns.pk)
    supervisor = logged_in(person(workspace, "supervisor"))
    page = LexborHTMLParser(supervisor.get("/admin/improve/?kind=recall").content.decode())
    assert [one.text() for one in page.css("del")] == [
        "You can send items back within 14 days.",
        "The label costs 3 euros.",
    ]
    [first, second] = page.css("main .rows > li")
    assert "3 customers were told this" in visible_text(first) and len(first.css("ul a")) == 3
    assert "1 customer was told this" in visible_text(second)
    assert not LexborHTMLParser(editor.get("/admin/improve/?kind=recall").content.decode()).css("main .rows ul")


def test_only_the_changed_sentences_and_rows_of_a_quotation_are_outdated(editor: Client) -> None:
    """Built-in answers quote whole paragraphs and tables."""
    body = (
        "Delivery within Germany costs 4 euros. Delivery to Austria costs 6 euros and takes 3 days.\n\n"
        "| To | Days | Costs |\n|---|---|---|\n| Germany | 2 to 3 | €4.90 |\n| Austria | 3 to 4 | €6.90 |\n"
    )
    delivery = article("Delivery", body)
    for quote in body.strip().split("\n\n"):
        ask("What does delivery cost?", cited(delivery, quote))
    save_draft(delivery.pk, Change(body=body.replace("4 euros", "5 euros").replace("€4.90", "€5.90")))
    publish(delivery.pk)
    [outdated] = outdated_answers()
    assert {(one.quoted, one.replacement, one.figures) for one in outdated.sentences} == {
        ("Germany | 2 to 3 | €4.90", "Germany | 2 to 3 | €5.90", ("4.90",)),
        ("Delivery within Germany costs 4 euros.", "Delivery within Germany costs 5 euros.", ("4 euros",)),
    }


@pytest.mark.long
def test_a_dismissed_sentence_is_not_listed_until_its_article_changes_it_again(
    editor: Client, workspace: Workspace
) -> None:
    returns = article("Returns", "You can send items back within 14 days. The label costs 3 euros.")
    for quote in ("You can send items back within 14 days.", "The label costs 3 euros."):
        ask("How long?", cited(returns, quote))
    change(returns, "You can send items back within 60 days. The label costs 5 euros.")
    address = "/admin/improve/?kind=recall"
    subject = (
        LexborHTMLParser(editor.get(address).content.decode())
        .css_first("main .rows > li form [name=subject]")
        .attributes["value"]
    )
    dismissed = next(one.quoted for one in outdated_answers()[0].sentences if str(one.subject) == subject)
    agent = logged_in(person(workspace, "agent"))
    assert agent.post(address, {"subject": subject, "reason": "No"}).status_code == 403
    editor.post(address, {"subject": subject, "reason": " "})
    editor.post(address, {"subject": str(returns.pk), "reason": "Not listed"})
    assert not Handled.objects.exists()

    page = editor.post(address, {"subject": subject, "reason": "All of them were called"}, follow=True)
    [other] = [one.text() for one in LexborHTMLParser(page.content.decode()).css("del")]
    assert other != dismissed
    assert Handled.objects.values_list("kind", "reason").get() == ("recall", "All of them were called")

    change(returns, "You can send items back within 60 days. The label costs 5 euros. We are in Kiel.")
    assert dismissed not in listed_sentences()
    change(returns, "You can send items back within 90 days. The label costs 9 euros.")
    assert dismissed in listed_sentences()


def test_a_dismissed_sentence_is_listed_again_once_another_customer_is_told_it(editor: Client) -> None:
    returns = article("Returns", "You can send items back within 14 days.")
    told, address = "You can send items back within 14 days.", "/admin/improve/?kind=recall"
    ask("How long?", cited(returns, told))
    change(returns, "You can send items back within 60 days.")
    editor.post(address, {"subject": str(outdated_answers()[0].sentences[0].subject), "reason": "She knows"})
    assert listed_sentences() == []
    change(returns, told)
    ask("How long?", cited(returns, told))
    change(returns, "You can send items back within 60 days.")
    assert listed_sentences() == [told]


def change(page: Article, body: str) -> None:
    save_draft(page.pk, Change(body=body))
    publish(page.pk)
    page.refresh_from_db()


def listed_sentences() -> list[str]:
    return [one.quoted for outdated in outdated_answers() for one in outdated.sentences]
