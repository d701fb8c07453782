"""The page of the assistant's activity: turns, withheld sentences and costs."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, User
from supportbot.chat.answers import Answer, Withheld
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.retrieval_trace import RetrievalTrace
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.handoff.desk.assistant_activity import turn_records
from supportbot.handoff.tickets import services
from tests.handoff.browsing import browser
from tests.handoff.desk.turns import FOUND, answer_turn
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


def test_the_activity_page_shows_questions_calls_costs_and_passages(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="How long can I return <i>boots</i>?", client_id="1")
    answer_turn(conversation, "60 days. [1]")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/activity/").content.decode()
    tree = LexborHTMLParser(page)
    page_text = " ".join(tree.body.text().split())  # type: ignore[union-attr]  # a page has a body
    for part in ("How long can I return <i>boots</i>?", "answer-2", "openai: scripted", "430", "€0.0012", "812 ms"):
        assert part in page_text
    assert "Searched for: return <i>boots</i>" in page_text
    found = [visible_text(cell) for cell in tree.css("[aria-label='Passages found'] td")]
    assert found == ["ReturnsWorn <b>boots</b>, revision 3", "3.250", "0.91"]


def test_an_answer_is_shown_as_its_customer_sees_it_and_a_message_as_it_was_written(
    conversation: Conversation, bob: User
) -> None:
    add_customer_message(conversation.pk, text="Is it **free**?", client_id="1")
    answer_turn(conversation, "Yes, **free**:\n\n- by <i>post</i>\n- [here](javascript:alert)")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    tree = LexborHTMLParser(browser(bob).get(f"/desk/tickets/{ticket.pk}/").content.decode())
    assert [said.text() for said in tree.css("#thread .customer .said")] == ["Is it **free**?"]
    (shown,) = tree.css("#thread .assistant .said")
    assert [one.text() for one in shown.css("strong")] == ["free"]
    assert [one.text() for one in shown.css("li")] == ["by <i>post</i>", "[here](javascript:alert)"]
    assert shown.css("i, a, script") == []


def test_a_stopped_answer_is_marked_whatever_its_last_line_is(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="How?", client_id="1")
    answer_turn(conversation, "Run:\n```\nmake\n```")
    for event in ConversationEvent.objects.filter(event="assistant.final"):
        ConversationEvent.objects.filter(pk=event.pk).update(payload={**event.payload, "stopped": True})
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    tree = LexborHTMLParser(browser(bob).get(f"/desk/tickets/{ticket.pk}/").content.decode())
    [shown] = tree.css("#thread .assistant .said")
    assert [one.text() for one in shown.css("p, pre")] == ["Run:", "make", "(stopped)"]


def test_the_activity_page_shows_withheld_sentences_and_the_customer_does_not(
    conversation: Conversation, alice: Customer, bob: User
) -> None:
    add_customer_message(conversation.pk, text="How much?", client_id="1")
    held = (Withheld("figure", "It costs <b>€99</b>.", 0.4), Withheld("deed", "I have refunded you.", None))
    answer_turn(conversation, "It is light.", replace(FOUND, withheld=held, is_confirmed=True))
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/activity/").content.decode()
    tree = LexborHTMLParser(page)
    assert [visible_text(cell) for cell in tree.css("[aria-label='Withheld by the checks'] td")] == [
        "It costs <b>€99</b>.", "a figure that does not appear in any article", "0.40",
        "I have refunded you.", "claims or promises something that is not on record", "not measured",
    ]  # fmt: skip
    assert "Confirmed by our articles." in page
    (answer,) = turn_records(conversation)
    assert "2 withheld" in answer.summary_line
    assert "€99" not in str(events_after(conversation.pk, 0))


def test_an_answer_withheld_by_the_checks_is_not_an_unknown_answer(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="How much?", client_id="1")
    claim = claim_turn("test", only=conversation.pk)
    assert claim is not None
    held = (Withheld("figure", "It costs €99.", 0.4),)
    lost = Answer("I could not find this.", (), by="model", is_abstention=True, withheld=held)
    finish_turn(claim, lost, RetrievalTrace("", (), withheld=held))
    (answer,) = turn_records(conversation)
    assert (answer.outcome, answer.summary_line) == ("Withheld by the checks", "1 withheld")


@pytest.mark.long
def test_the_number_of_queries_does_not_grow_with_the_activity(conversation: Conversation, bob: User) -> None:
    ticket = services.request(conversation.pk, reason="no_answer", by="assistant")
    services.claim(ticket.pk, agent=bob)
    services.return_to_assistant(ticket.pk, agent=bob)
    client, counted = browser(bob), []
    for number in range(1, 7):
        add_customer_message(conversation.pk, text=f"Question {number}", client_id=f"{number}")
        answer_turn(conversation, "60 days. [1]")
        if number in (1, 6):
            for page in ("", "activity/"):
                client.get(f"/desk/tickets/{ticket.pk}/{page}")
                with CaptureQueriesContext(connection) as ran:
                    client.get(f"/desk/tickets/{ticket.pk}/{page}")
                counted.append(len(ran))
    assert counted[:2] == counted[2:]
    assert [one.question for one in turn_records(conversation, most=2)] == ["Question 5", "Question 6"]


def test_the_retrieved_passages_are_visible_to_the_team_only(conversation: Conversation, alice: Customer) -> None:
    add_customer_message(conversation.pk, text="How long?", client_id="1")
    answer_turn(conversation, "60 days. [1]")
    teams, public = events_after(conversation.pk, 0, is_staff=True)[-1], events_after(conversation.pk, 0)[-1]
    assert teams.payload["reading"]["passages"][0]["similarity"] == 0.91
    assert (public.event, public.seq) == (teams.event, teams.seq) == ("assistant.final", teams.seq)
    assert "reading" not in public.payload and "0.91" not in str(public)


def test_an_answer_of_an_earlier_version_has_no_passages(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="How long?", client_id="1")
    answer_turn(conversation, "60 days. [1]", reading=None)
    (answer,) = turn_records(conversation)
    assert (answer.reading, answer.summary_line) == (None, "From Returns; answer-2, openai: scripted; €0.0012")
