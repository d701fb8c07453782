"""What stands beside a conversation: orders, canned replies, a draft, the summary and the assistant's trail."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from selectolax.lexbor import LexborHTMLParser

from actions.models import AuditEntry
from actions.policies import ensure_policies
from actions.testing import FakeShop, connected
from kb import ports
from kb.indexing.index import sync_articles
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.answers import Answer, CitedSpan, Withheld
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.readings import Reading, ReadPassage
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, add_note, start_conversation
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.errors import InvalidInput
from supportbot.handoff import services
from supportbot.handoff.canned import replies_for, save_reply
from supportbot.handoff.models import CannedReply, Ticket
from supportbot.handoff.summary import summary_of
from supportbot.handoff.trail import answers_of
from supportbot.llm.models import LLMCall
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
RETURNS = "You can return unused items within 60 days of delivery. The label is free within Germany.\n"


def browser(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def beside(client: Client, ticket: Ticket, what: str, **asked: str) -> Any:
    return client.get(f"/desk/tickets/{ticket.pk}/{what}.json", asked)


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    ensure_policies()
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="49.90")
        fake.add_order("B-2", "cus_stranger", total="75.00")
        yield fake


# --- Orders.


def test_orders_are_the_customers_own_and_the_look_is_audited(shop: FakeShop, ticket: Ticket, bob: User) -> None:
    found = beside(browser(bob), ticket, "orders").json()
    assert [order["id"] for order in found["orders"]] == ["A-1"]
    entry = AuditEntry.objects.get(event="read.answered")
    assert entry.payload["conversation"] == str(ticket.conversation_id)


def test_a_visitors_orders_are_refused_with_a_reason(shop: FakeShop, bob: User) -> None:
    conversation = start_conversation(Customer.objects.create().pk)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    answer = beside(browser(bob), ticket, "orders")
    assert answer.status_code >= 400 and answer.json()["message"]


def test_a_stranger_gets_none_of_it(shop: FakeShop, ticket: Ticket, mallory: User) -> None:
    client = browser(mallory)
    answers = [beside(client, ticket, what) for what in ("orders", "canned")]
    answers += [client.post(f"/desk/tickets/{ticket.pk}/draft.json"), client.get(f"/desk/tickets/{ticket.pk}/trail/")]
    assert {answer.status_code for answer in answers} == {404}
    assert not AuditEntry.objects.filter(event="read.answered").exists()


# --- Canned replies.


@pytest.fixture
def replies(workspace: Workspace) -> list[CannedReply]:
    told = [
        ("Return label sent", "Hi {name}, the label is in your e-mail. {agent}", "en"),
        ("Rücksendeetikett", "Hallo {name}, das Etikett ist unterwegs.", "de"),
        ("Pole", "Dear {name}", ""),
    ]
    return [save_reply(title=title, text=text, locale=locale) for title, text, locale in told]


def test_a_few_letters_find_a_reply_and_fill_it_in(replies: list[CannedReply], ticket: Ticket, bob: User) -> None:
    found = beside(browser(bob), ticket, "canned", q="label").json()["replies"]
    assert found[0]["text"] == "Hi Alice, the label is in your e-mail. Bob"
    everything = [reply["title"] for reply in beside(browser(bob), ticket, "canned").json()["replies"]]
    assert everything == ["Pole", "Return label sent", "Rücksendeetikett"]
    assert beside(browser(bob), ticket, "canned", q="zzzzzz").json()["replies"] == []


def test_the_customers_language_comes_first(replies: list[CannedReply], bob: User, alice: Customer) -> None:
    german = start_conversation(alice.pk, locale="de")
    assert [one.title for one in replies_for(german, bob)] == ["Pole", "Rücksendeetikett", "Return label sent"]


def test_what_the_customer_writes_says_more_than_the_page_they_came_by(
    replies: list[CannedReply], bob: User, alice: Customer
) -> None:
    conversation = start_conversation(alice.pk, locale="en-GB")
    add_customer_message(conversation.pk, text="Mein Paket ist nicht da, wo ist es?", client_id="1")
    assert [one.title for one in replies_for(conversation, bob)][:2] == ["Pole", "Rücksendeetikett"]


def test_a_customer_called_like_a_gap_fills_none(replies: list[CannedReply], bob: User, alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(name="{agent}")
    conversation = start_conversation(alice.pk)
    filled = {one.title: one.text for one in replies_for(conversation, bob)}
    assert filled["Return label sent"] == "Hi {agent}, the label is in your e-mail. Bob"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " ", "text": "x"}, "title"),
        ({"title": "x", "text": ""}, "text"),
        ({"title": "x" * 81, "text": "x"}, "title"),
        ({"title": "x", "text": "a\0b"}, "text"),
        ({"title": "x", "text": "y" * 4_001}, "text"),
        ({"title": "Pole", "text": "x"}, "title"),
    ],
)
def test_a_reply_that_cannot_be_kept_names_the_field(
    replies: list[CannedReply], fields: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_reply(**fields)
    assert list(refused.value.fields) == [field]
    assert CannedReply.objects.count() == 3


def test_replies_are_written_changed_and_deleted_on_their_page(replies: list[CannedReply], bob: User) -> None:
    client, pole = browser(bob), replies[2]
    wrong = client.post("/desk/replies/", {"title": "Pole", "text": "Kept as typed", "locale": ""})
    assert wrong.status_code == 400 and "Kept as typed" in wrong.content.decode()
    assert client.post("/desk/replies/", {"title": "New", "text": "Line\r\ntwo", "locale": "de"}).status_code == 302
    assert CannedReply.objects.get(title="New").text == "Line\ntwo"
    client.post(f"/desk/replies/{pole.pk}/", {"title": "Poles", "text": "Dear", "locale": "en"})
    pole.refresh_from_db()
    assert (pole.title, pole.locale) == ("Poles", "en")
    tree = LexborHTMLParser(client.get(f"/desk/replies/{pole.pk}/").content.decode())
    assert tree.css_first("details form").attributes["action"] == f"/desk/replies/{pole.pk}/delete/"  # asked twice
    client.post(f"/desk/replies/{pole.pk}/delete/")
    assert not CannedReply.objects.filter(pk=pole.pk).exists()


def test_a_stranger_neither_reads_nor_changes_replies(replies: list[CannedReply], mallory: User) -> None:
    client, pole = browser(mallory), replies[2]
    assert "Pole" not in client.get("/desk/replies/").content.decode()
    body = {"title": "Mine", "text": "x", "locale": ""}
    answers = [client.post(f"/desk/replies/{pole.pk}/", body), client.post(f"/desk/replies/{pole.pk}/delete/")]
    assert {answer.status_code for answer in answers} == {404}
    pole.refresh_from_db()
    assert pole.title == "Pole"


def test_deleting_what_is_not_there_is_not_found(bob: User) -> None:
    assert browser(bob).post(f"/desk/replies/{uuid4()}/delete/").status_code == 404


# --- The draft.


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
def test_a_draft_comes_with_its_sources_and_goes_to_nobody(knowledge: None, ticket: Ticket, bob: User) -> None:
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
def test_a_draft_marks_what_to_check_before_it_is_sent(knowledge: None, ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="1")
    said = (
        "Hello \U0001f642 Alice! You can return unused items within 60 days of delivery. [1] It costs €99. "
        "I have already refunded your order. Write to us at https://evil.example/x. "
        "Penguins breed along the rocky southern coasts and feed their chicks with krill."
    )
    with answering(ScriptedModel(Says(said))):
        draft = ask_for_draft(bob, ticket).json()
    assert draft["text"] == said.replace(" [1]", "")  # nothing is taken out
    marked = [(draft["text"][one["start"] : one["end"]], one["code"], one["why"]) for one in draft["doubts"]]
    assert marked == [
        ("It costs €99.", "figure", "a figure that no article holds"),
        ("I have already refunded your order.", "deed", "a deed or a promise that is not on record"),
        ("Write to us at https://evil.example/x.", "link", "a link that no article holds"),
        (said[said.index("Penguins") :], "little_support", "little of it stands in the articles"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_was_cut_off_says_so_of_its_end(knowledge: None, ticket: Ticket, bob: User) -> None:
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="1")
    said = "You can return unused items within 60 days of delivery. [1] The label is"
    with answering(ScriptedModel(Says(said, finish_reason="length"))):
        draft = ask_for_draft(bob, ticket).json()
    assert [draft["text"][one["start"] : one["end"]] for one in draft["doubts"]] == ["The label is"]
    assert draft["doubts"][0]["code"] == "cut_off"


@pytest.mark.django_db(transaction=True)
def test_the_model_of_a_draft_reads_placeholders_and_the_agent_the_data(
    knowledge: None, ticket: Ticket, bob: User
) -> None:
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
def test_a_draft_is_in_the_language_that_the_customer_writes(knowledge: None, ticket: Ticket, bob: User) -> None:
    words = "Unbenutzte Artikel können Sie 60 Tage lang zurückgeben."
    german = create_article(Change(title="Rückgabe", body=words, locale="de"), external_id="d")
    publish(german.pk)
    sync_articles([german.pk])
    text = "Wie lange kann ich unbenutzte Artikel zurückgeben?"
    add_customer_message(ticket.conversation_id, text=text, client_id="1")
    with answering(ScriptedModel(Says(f"{words} [1]"))) as model:
        ask_for_draft(bob, ticket)
    assert model.requests[0].locale == "de"


def test_without_an_article_there_is_no_draft_and_no_model_is_asked(knowledge: None, ticket: Ticket, bob: User) -> None:
    add_customer_message(ticket.conversation_id, text="Quantum chromodynamics lattice?", client_id="1")
    with answering(ScriptedModel()):
        answer = ask_for_draft(bob, ticket)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_answer")


def test_before_a_question_there_is_no_draft(ticket: Ticket, bob: User) -> None:
    assert ask_for_draft(bob, ticket).json()["message"] == "The customer has not asked anything yet."


# --- Summary and trail.


FOUND = Reading("return <i>boots</i>", (ReadPassage(str(uuid4()), "Returns", "Worn <b>boots</b>", 3, 3.25, 0.91),))


def answered(conversation: Conversation, text: str, reading: Reading | None = FOUND) -> None:
    """Let the assistant answer what was asked, as a runner does."""
    claim = claim_turn("test", only=conversation.pk)
    assert claim is not None
    span = CitedSpan(uuid4(), "r", "Returns", "/help/r/", 1, 0, 5, "quote")
    finish_turn(claim, Answer(text, (span,), by="model"), reading)
    LLMCall.objects.create(
        purpose="answer", provider="openai", model="scripted", prompt_version="answer-2", duration_ms=812,
        conversation_id=conversation.pk, turn_id=claim.turn_id, input_tokens=400, output_tokens=30,
        cost="0.00120000", currency="EUR", outcome="done",
    )  # fmt: skip


def test_the_summary_says_wants_done_and_open_from_the_record(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="How long can I return boots?", client_id="1")
    answered(conversation, "60 days. [1]")
    add_customer_message(conversation.pk, text="And worn ones?", client_id="2")
    ticket = services.request(conversation.pk, reason="no_answer", by="assistant")
    summary = summary_of(ticket)
    assert summary.wants == "How long can I return boots? Then: And worn ones?"
    assert (summary.done, summary.open) == ("Answered from Returns.", "The customer's last message is not answered.")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="Not worn ones.", author=bob, client_id="3")
    add_customer_message(conversation.pk, text="Thanks!", client_id="4")
    after = summary_of(Ticket.objects.get())
    assert after.wants == summary.wants
    add_agent_message(conversation.pk, text="You are welcome.", author=bob, client_id="5")
    assert summary_of(Ticket.objects.get()).open == "Not in our articles"


def test_the_summary_of_an_ended_ticket_is_of_its_own_episode(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="My zip is broken", client_id="1")
    first = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(first.pk, agent=bob)
    add_note(conversation.pk, text="The third this week", author=bob, client_id="2")
    services.resolve(first.pk, agent=bob)
    second = services.request(conversation.pk, reason="customer_asked", by="agent")
    services.claim(second.pk, agent=bob)
    add_customer_message(conversation.pk, text="And a pole", client_id="3")
    add_agent_message(conversation.pk, text="It is on its way.", author=bob, client_id="4")
    services.resolve(second.pk, agent=bob)
    told = [summary_of(ticket) for ticket in Ticket.objects.order_by("pk")]
    assert [(one.wants, one.done, one.open) for one in told] == [
        ("My zip is broken", "Nothing.", "Nothing."),
        ("And a pole", "Bob replied.", "Nothing."),
    ]


def test_what_stands_beside_the_wish_for_a_person_is_in_the_summary(conversation: Conversation) -> None:
    wish = "My tent has a hole. I would like to talk to a person please"
    for place, text in enumerate(["How long can I return a tent?", wish]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(conversation.pk, reason="customer_asked", by="assistant", summary=wish)
    assert summary_of(ticket).wants == "My tent has a hole."
    ticket = Ticket(conversation=conversation, created_at=ticket.created_at)
    assert summary_of(ticket).wants == "How long can I return a tent? Then: My tent has a hole."


@pytest.mark.parametrize("summary", ["My zip is broken", "My zip is broken. Can you help? It is the red one."])
def test_what_the_wish_and_the_last_words_share_is_said_once(conversation: Conversation, summary: str) -> None:
    add_customer_message(conversation.pk, text="My zip is broken. Can you help?", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer", summary=summary)
    assert summary_of(ticket).wants == max(summary, "My zip is broken. Can you help?", key=len)


def test_the_summary_says_what_a_person_is_wanted_for(conversation: Conversation) -> None:
    for place, text in enumerate(["Hello", "My zip is broken", "I want to talk to a person"]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(
        conversation.pk, reason="customer_asked", by="assistant", summary="I want to talk to a person"
    )
    assert summary_of(ticket).wants == "My zip is broken"


def test_the_summary_of_who_said_nothing_else_is_what_they_said(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="I want to talk to a person", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert summary_of(ticket).wants == "I want to talk to a person"


def test_the_trail_shows_questions_calls_costs_and_passages(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="How long can I return <i>boots</i>?", client_id="1")
    answered(conversation, "60 days. [1]")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/trail/").content.decode()
    tree = LexborHTMLParser(page)
    told = " ".join(tree.body.text().split())  # type: ignore[union-attr]  # a page has a body
    for part in ("How long can I return <i>boots</i>?", "answer-2", "openai: scripted", "430", "0.0012 EUR", "812 ms"):
        assert part in told
    assert "Looked for: return <i>boots</i>" in told
    found = [visible_text(cell) for cell in tree.css("[aria-label='Passages found'] td")]
    assert found == ["ReturnsWorn <b>boots</b>, revision 3", "3.250", "0.91"]


def test_the_trail_shows_what_was_held_back_and_the_customer_never_reads_it(
    conversation: Conversation, alice: Customer, bob: User
) -> None:
    add_customer_message(conversation.pk, text="How much?", client_id="1")
    held = (Withheld("figure", "It costs <b>€99</b>.", 0.4), Withheld("deed", "I have refunded you.", None))
    answered(conversation, "It is light.", replace(FOUND, withheld=held, is_confirmed=True))
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/trail/").content.decode()
    tree = LexborHTMLParser(page)
    assert [visible_text(cell) for cell in tree.css("[aria-label='Held back by the checks'] td")] == [
        "It costs <b>€99</b>.", "a figure that no article holds", "0.40",
        "I have refunded you.", "a deed or a promise that is not on record", "not comparable",
    ]  # fmt: skip
    assert "Our articles confirm it." in page
    (answer,) = answers_of(conversation)
    assert "2 held back" in answer.in_short
    assert "€99" not in str(events_after(conversation.pk, 0))


def test_an_answer_lost_to_the_checks_is_none_that_was_not_known(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="How much?", client_id="1")
    claim = claim_turn("test", only=conversation.pk)
    assert claim is not None
    held = (Withheld("figure", "It costs €99.", 0.4),)
    lost = Answer("I could not find this.", (), by="model", is_abstention=True, withheld=held)
    finish_turn(claim, lost, Reading("", (), withheld=held))
    (answer,) = answers_of(conversation)
    assert (answer.outcome, answer.in_short) == ("Lost to the checks", "1 held back")


def test_a_long_trail_costs_as_many_statements_as_a_short_one(conversation: Conversation, bob: User) -> None:
    ticket = services.request(conversation.pk, reason="no_answer", by="assistant")
    services.claim(ticket.pk, agent=bob)
    services.return_to_assistant(ticket.pk, agent=bob)
    client, counted = browser(bob), []
    for number in range(1, 7):
        add_customer_message(conversation.pk, text=f"Question {number}", client_id=f"{number}")
        answered(conversation, "60 days. [1]")
        if number in (1, 6):
            for page in ("", "trail/"):
                client.get(f"/desk/tickets/{ticket.pk}/{page}")
                with CaptureQueriesContext(connection) as ran:
                    client.get(f"/desk/tickets/{ticket.pk}/{page}")
                counted.append(len(ran))
    assert counted[:2] == counted[2:]
    assert [one.question for one in answers_of(conversation, most=2)] == ["Question 5", "Question 6"]


def test_what_was_read_is_the_teams_alone(conversation: Conversation, alice: Customer) -> None:
    add_customer_message(conversation.pk, text="How long?", client_id="1")
    answered(conversation, "60 days. [1]")
    teams, public = events_after(conversation.pk, 0, is_staff=True)[-1], events_after(conversation.pk, 0)[-1]
    assert teams.payload["reading"]["passages"][0]["similarity"] == 0.91
    assert (public.event, public.seq) == (teams.event, teams.seq) == ("assistant.final", teams.seq)
    assert "reading" not in public.payload and "0.91" not in str(public)


def test_an_answer_of_an_earlier_version_says_nothing_of_passages(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="How long?", client_id="1")
    answered(conversation, "60 days. [1]", reading=None)
    (answer,) = answers_of(conversation)
    assert (answer.reading, answer.in_short) == (None, "From Returns; answer-2, openai: scripted; 0.0012 EUR")
