"""Drafts of replies."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from kb import ports
from kb.indexing.sync import sync_articles
from kb.services import Change, create_article, publish
from supportbot.accounts.models import User, Workspace
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import add_agent_message, add_customer_message
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.handoff.browsing import browser

pytestmark = pytest.mark.django_db
RETURNS = "You can return unused items within 60 days of delivery. The label is free within Germany.\n"


@pytest.fixture
def knowledge(workspace: Workspace, settings: Settings) -> Iterator[None]:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    public = create_article(Change(title="Returns", body=RETURNS, locale="en", url="/help/returns/"), external_id="r")
    hidden = create_article(
        Change(title="Goodwill", body="Unused items: give 90 days.", locale="en", audience="internal"), external_id="g"
    )
    for article in (public, hidden):
        publish(article.pk)
    sync_articles([public.pk, hidden.pk])
    yield
    ports._load.cache_clear()


def ask_for_draft(user: User, ticket: Ticket) -> Any:
    return browser(user).post(f"/desk/tickets/{ticket.pk}/draft.json")


@pytest.mark.django_db(transaction=True)
def test_a_draft_comes_with_sources_and_is_sent_to_nobody(knowledge: None, ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="1")
    events = ConversationEvent.objects.count()
    with answering(ScriptedModel(Says("You can return unused items within 60 days. [1]"))) as model:
        draft = ask_for_draft(bob, ticket).json()
    assert draft["text"] == "You can return unused items within 60 days."
    assert draft["doubts"] == []
    assert [source["title"] for source in draft["sources"]] == ["Returns"]
    assert "Goodwill" not in str(model.requests[0].messages)  # the customer may not read it
    assert ConversationEvent.objects.count() == events


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_a_draft_marks_doubtful_sentences(knowledge: None, ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="1")
    said = (
        "Hello \U0001f642 Alice! You can return unused items within 60 days of delivery. [1] It costs €99. "
        "I have already refunded your order. Write to us at https://evil.example/x. "
        "Penguins breed along the rocky southern coasts and feed their chicks with krill."
    )
    with answering(ScriptedModel(Says(said))):
        draft = ask_for_draft(bob, ticket).json()
    assert draft["text"] == said.replace(" [1]", "")  # nothing is removed
    marked = [(draft["text"][one["start"] : one["end"]], one["code"], one["why"]) for one in draft["doubts"]]
    assert marked == [
        ("It costs €99.", "figure", "a figure that does not appear in any article"),
        ("I have already refunded your order.", "deed", "claims or promises something that is not on record"),
        ("Write to us at https://evil.example/x.", "link", "a link that does not appear in any article"),
        (said[said.index("Penguins") :], "little_support", "little support in the articles"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_cut_off_draft_marks_its_end(knowledge: None, ticket: Ticket, bob: User) -> None:
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="1")
    said = "You can return unused items within 60 days of delivery. [1] The label is"
    with answering(ScriptedModel(Says(said, finish_reason="length"))):
        draft = ask_for_draft(bob, ticket).json()
    assert [draft["text"][one["start"] : one["end"]] for one in draft["doubts"]] == ["The label is"]
    assert draft["doubts"][0]["code"] == "cut_off"


@pytest.mark.django_db(transaction=True)
def test_the_model_reads_placeholders_and_the_agent_the_data(knowledge: None, ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(ticket.conversation_id, text="I am alice@example.com", client_id="1")
    add_agent_message(ticket.conversation_id, text="Thank you.", author=bob, client_id="2")
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="3")
    said = Says("You can return unused items within 60 days [1]. We will write to [EMAIL_1].")
    with answering(ScriptedModel(said)) as model:
        draft = ask_for_draft(bob, ticket).json()
    assert model.requests[0].messages[1].content == "I am [EMAIL_1]"
    assert draft["text"] == "You can return unused items within 60 days. We will write to alice@example.com."


@pytest.mark.django_db(transaction=True)
def test_a_draft_uses_the_customers_language(knowledge: None, ticket: Ticket, bob: User) -> None:
    words = "Unbenutzte Artikel können Sie 60 Tage lang zurückgeben."
    german = create_article(Change(title="Rückgabe", body=words, locale="de"), external_id="d")
    publish(german.pk)
    sync_articles([german.pk])
    text = "Wie lange kann ich unbenutzte Artikel zurückgeben?"
    add_customer_message(ticket.conversation_id, text=text, client_id="1")
    with answering(ScriptedModel(Says(f"{words} [1]"))) as model:
        ask_for_draft(bob, ticket)
    assert model.requests[0].locale == "de"


def test_without_an_article_no_model_is_called(knowledge: None, ticket: Ticket, bob: User) -> None:
    add_customer_message(ticket.conversation_id, text="Quantum chromodynamics lattice?", client_id="1")
    with answering(ScriptedModel()):
        answer = ask_for_draft(bob, ticket)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_answer")


@pytest.mark.django_db(transaction=True)
def test_a_customer_who_asks_for_a_person_gets_no_draft_that_offers_one(
    knowledge: None, ticket: Ticket, bob: User
) -> None:
    words = "I would like to talk to a person"
    publish(create_article(Change(title=words, body="Press *Talk to a person* in the chat."), external_id="p").pk)
    add_customer_message(ticket.conversation_id, text=words, client_id="1")
    answer = ask_for_draft(bob, ticket)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_answer")
    assert "because the customer only asked for a person" in answer.json()["message"]


def test_without_a_question_there_is_no_draft(ticket: Ticket, bob: User) -> None:
    assert ask_for_draft(bob, ticket).json()["message"] == "The customer has not asked anything yet."
