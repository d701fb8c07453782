"""Requests for a person: the customer's notices and the team's ticket."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.chat.customer_language import customer_language
from supportbot.chat.errors import ConversationEnded
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.errors import InvalidInput
from supportbot.handoff.models import Presence, Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.presence import record_presence
from supportbot.widget.services import end_conversation
from tests.handoff.records import event_names, message_texts, ticket_row

pytestmark = pytest.mark.django_db


def test_a_request_for_a_person_stops_the_assistant(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer", summary="Broken pole")
    conversation.refresh_from_db()
    event = events_after(conversation.pk, 0)[-1]
    assert (event.event, event.payload) == (
        "handoff.requested",
        {"ticket": str(ticket.pk), "reason": "customer_asked", "place": 1, "locale": "en"},
    )
    assert (conversation.mode, ticket.state, ticket.summary, ticket.language) == (
        "waiting",
        "waiting",
        "Broken pole",
        "en",
    )
    add_customer_message(conversation.pk, text="Hello?", client_id="1")
    assert not Turn.objects.exists()


def test_a_second_request_returns_the_open_ticket_silently(ticket: Ticket, conversation: Conversation) -> None:
    before = event_names(conversation)
    again = services.request(conversation.pk, reason="no_answer", by="assistant")
    assert again.pk == ticket.pk
    assert event_names(conversation) == before
    assert Ticket.objects.count() == 1


def test_an_unknown_reason_is_refused_and_nothing_changes(conversation: Conversation) -> None:
    before = event_names(conversation)
    with pytest.raises(InvalidInput) as refusal:
        services.request(conversation.pk, reason="because", by="customer")
    assert list(refusal.value.fields) == ["reason"]
    assert (event_names(conversation), Ticket.objects.count()) == (before, 0)


def test_an_unstorable_summary_does_not_fail_the_request(conversation: Conversation) -> None:
    ticket = services.request(conversation.pk, reason="other", by="assistant", summary="a\0b\ud800c" + "x" * 5000)
    assert ticket_row(ticket)["summary"] == "abc" + "x" * 997


def test_the_away_notice_uses_the_customers_language(alice: Customer, bob: User) -> None:
    german = start_conversation(alice.pk, locale="de-AT")
    services.request(german.pk, reason="customer_asked", by="customer")
    assert message_texts(german)[-1].startswith("Unser Team ist gerade")
    record_presence(bob)
    english = start_conversation(alice.pk)
    services.request(english.pk, reason="customer_asked", by="customer")
    assert event_names(english)[-1] == "handoff.requested"


def test_a_customer_with_a_known_address_is_not_asked_for_one(alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(email="alice@example.com")
    german = start_conversation(alice.pk, locale="de")
    ticket = services.request(german.pk, reason="customer_asked", by="customer")
    assert message_texts(german)[-1].startswith(
        "Unser Team ist gerade nicht erreichbar. Wir antworten an alice@example.com."
    )
    assert ticket_row(ticket)["contact_email"] == "alice@example.com"
    add_customer_message(german.pk, text="Lieber an a.other@example.com", client_id="1")
    assert message_texts(german)[-1] == "Danke. Wir antworten an a.other@example.com."
    assert ticket_row(ticket)["contact_email"] == "a.other@example.com"


def test_a_ticket_has_the_customers_language(alice: Customer) -> None:
    for text, locale, spoken in (
        ("Mein Paket ist nicht da, wann kommt es?", "en-GB", "de"),
        ("Mein Paket ist nicht da, wann kommt es?", "de-AT", "de-AT"),
        ("WF-20431", "fr", "fr"),
        ("On me dit que le colis est en route", "fr", "fr"),
        ("Hur är läget? Var är min beställning?", "sv", "sv"),
    ):
        conversation = start_conversation(alice.pk, locale=locale)
        add_customer_message(conversation.pk, text=text, client_id="1")
        ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
        assert ticket_row(ticket)["language"] == spoken


def test_notices_follow_the_latest_message_as_answers_do(alice: Customer) -> None:
    chat = start_conversation(alice.pk, locale="de")
    german = ("Mein Paket ist nicht da, wann kommt es?", "Ich warte schon seit einer Woche auf die Lieferung.")
    for number, text in enumerate((*german, "Sorry, can we go on in English?", "WF-20431")):
        add_customer_message(chat.pk, text=text, client_id=str(number))
    assert customer_language(chat) == "de"  # the language of most messages: an order number has none
    add_customer_message(chat.pk, text="When will my parcel arrive?", client_id="last")
    ticket = services.request(chat.pk, reason="customer_asked", by="customer")
    assert ticket_row(ticket)["language"] == "en"
    assert message_texts(chat)[-1].startswith("Our team is not available")


def test_notices_keep_the_region_of_the_page_if_they_are_in_its_language(alice: Customer) -> None:
    chat = start_conversation(alice.pk, locale="en-US")
    assert customer_language(chat) == "en-US"
    for number, (text, language) in enumerate(
        (("When will my parcel arrive?", "en-US"), ("Mein Paket ist nicht da, wann kommt es denn endlich?", "de"))
    ):
        add_customer_message(chat.pk, text=text, client_id=str(number))
        assert customer_language(chat) == language


def test_an_online_editor_or_an_offline_agent_does_not_count(
    workspace: Workspace, conversation: Conversation, bob: User
) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    record_presence(hanna)
    record_presence(bob)
    Presence.objects.filter(user=bob).update(seen_at=now() - timedelta(minutes=3))
    services.request(conversation.pk, reason="customer_asked", by="customer")
    assert "Our team is not available" in message_texts(conversation)[-1]


@pytest.mark.parametrize("by", ["customer", "assistant"])
def test_no_ticket_is_opened_in_a_conversation_its_customer_ended(by: str, conversation: Conversation) -> None:
    end_conversation(conversation.pk)
    before = event_names(conversation)
    with pytest.raises(ConversationEnded):
        services.request(conversation.pk, reason="customer_asked", by=by)
    assert (event_names(conversation), Ticket.objects.count()) == (before, 0)


def test_a_failed_action_opens_a_ticket_after_the_end_too(conversation: Conversation) -> None:
    end_conversation(conversation.pk)
    assert services.request(conversation.pk, reason="action", by="rule").state == "waiting"
