"""A customer's earlier chats: a list with previews, and transcripts to keep."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils.timezone import now
from rest_framework.test import APIClient

from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.serializers import preview
from supportbot.chat.services import add_customer_message, add_note, start_conversation
from supportbot.chat.turns import claim_turn, fail_turn, finish_turn
from supportbot.handoff.tickets import services as handoff
from supportbot.ids import uuid7
from tests.rest import caller, person, signed_in

pytestmark = pytest.mark.django_db
CONVERSATIONS = "/api/v1/conversations"
ORIGIN = "https://shop.example"


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Storefront", allowed_origins=[ORIGIN])


@pytest.fixture
def alice_client(channel: NewChannel, alice: Customer) -> APIClient:
    return signed_in(channel, alice)


def said(customer: Customer, *texts: str, locale: str = "en") -> Conversation:
    conversation = start_conversation(customer.pk, locale=locale)
    for number, text in enumerate(texts):
        add_customer_message(conversation.pk, text=text, client_id=f"m{number}")
    return conversation


def answered(conversation: Conversation, text: str, *spans: CitedSpan) -> None:
    claim = claim_turn("runner", only=conversation.pk)
    assert claim is not None
    finish_turn(claim, Answer(text, spans, "model"))


def span(title: str = "Refunds") -> CitedSpan:
    return CitedSpan(uuid7(), "refunds", title, "https://shop.example/help/refunds", 1, 0, 5, "Money")


def rows(client: APIClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(CONVERSATIONS, query)
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_a_customer_lists_their_own_conversations_newest_first_with_previews(
    alice_client: APIClient, alice: Customer, bob: User
) -> None:
    old = said(alice, "How long do refunds take?")
    answered(old, "Five days [1].\n\nOften less [2].", span(), span())
    add_note(old.pk, text="Be quick", author=bob, client_id="n1")
    new = said(alice)
    said(Customer.objects.create(external_id="cus_tom"), "I am Tom")
    first, second = rows(alice_client)
    assert (first["id"], first["preview"]) == (str(new.pk), "")  # it contains only the notice so far
    assert (second["id"], second["preview"]) == (str(old.pk), "Five days. Often less.")
    assert set(first) == {
        "id", "channel", "locale", "mode", "agent_name", "head", "created_at", "last_event_at", "ended_at", "preview",
    }  # fmt: skip


def test_the_list_takes_as_many_queries_for_many_rows_as_for_one(
    alice_client: APIClient, alice: Customer, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        said(alice, f"Question {number}")
    with django_assert_max_num_queries(8):
        assert len(rows(alice_client)) == 12


def test_a_visitor_lists_their_own_conversations(channel: NewChannel, alice: Customer) -> None:
    visitor = new_visitor(channel.channel)
    mine = said(visitor.customer, "It is me")
    said(alice, "It is not")
    assert [row["id"] for row in rows(caller(visitor.secret))] == [str(mine.pk)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("short", "short"),
        ("two\n\nlines", "two lines"),
        ("Yes [1], and no[2]. [12]", "Yes, and no."),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 119 + "…"),
        ("[1]", ""),
    ],
)
def test_a_preview_is_one_short_line(text: str, line: str) -> None:
    assert preview(text) == line


def test_an_unknown_filter_is_named(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice)
    for address in (CONVERSATIONS, f"{CONVERSATIONS}/{conversation.pk}/events"):
        answer = alice_client.get(address, {"foo": "1"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert answer.json()["fields"] == {"foo": ["Unknown field."]}


def test_pages_of_the_channel_can_read_the_list(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice, "Hello")
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for address in (CONVERSATIONS, f"{CONVERSATIONS}/{conversation.pk}/transcript"):
        preflight = Client().options(address, headers={"Origin": ORIGIN, **asking})
        assert preflight.status_code == 204 and preflight["Access-Control-Allow-Origin"] == ORIGIN
        answer = alice_client.get(address, HTTP_ORIGIN=ORIGIN)
        assert answer.status_code == 200 and answer["Access-Control-Allow-Origin"] == ORIGIN
        assert answer["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in alice_client.get(address, HTTP_ORIGIN="https://evil.example")


def test_a_page_cannot_read_with_a_team_key(workspace: Workspace, bob: User, channel: NewChannel) -> None:
    answer = person(workspace, bob).get(CONVERSATIONS, HTTP_ORIGIN=ORIGIN)
    assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer


# --- The transcript.


def transcript(client: APIClient, conversation: Conversation, **headers: str) -> HttpResponse:
    answer: HttpResponse = client.get(f"{CONVERSATIONS}/{conversation.pk}/transcript", **headers)
    return answer


def at(conversation: Conversation, moment: datetime) -> None:
    ConversationEvent.objects.filter(conversation=conversation).update(created_at=moment)


def told(conversation: Conversation, event: str, **payload: Any) -> None:
    append_event(lock_conversation(conversation.pk), event, payload)


def test_a_transcript_names_authors_times_and_sources(
    alice_client: APIClient, alice: Customer, bob: User, workspace: Workspace
) -> None:
    workspace.timezone = "Europe/Berlin"
    workspace.save()
    conversation = said(alice, "How long do refunds take?")
    answered(conversation, "Five days [1].", span("Refunds & returns"))
    asked = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(asked.pk, agent=bob)
    add_note(conversation.pk, text="Be quick", author=bob, client_id="n1")
    at(conversation, datetime(2026, 11, 25, 9, 30, tzinfo=UTC))
    answer = transcript(alice_client, conversation)
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="chat-')
    assert text.startswith("Conversation with Wrenfell Outdoor\n") and "Times are in Europe/Berlin." in text
    assert "[25 Nov 2026 10:30] You\nHow long do refunds take?\n" in text
    assert (
        "Assistant (AI)\nFive days [1].\nSources:\n  [1] Refunds & returns https://shop.example/help/refunds\n" in text
    )
    assert "Note\nBob has joined the conversation.\n" in text
    assert "Be quick" not in text


def test_a_transcript_contains_cards_and_receipts(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice, "Refund, please")
    card = {"request": str(uuid4()), "action": "refund_order", "title": "Refund €49.90"}
    told(conversation, "action.proposed", **card, rows=[{"label": "Order", "value": "A-1"}])
    receipt = {"order": "A-1", "amount": "49.90", "currency": "EUR", "to": "Card 4242", "reference": "rf_1"}
    told(conversation, "action.succeeded", **card, receipt=receipt)
    told(conversation, "action.failed", **card, reason={"code": "x", "text": "The shop said no."})
    text = transcript(alice_client, conversation).content.decode()
    assert "Prepared, waiting for your confirmation: Refund €49.90\n  Order: A-1\n" in text
    assert "Done: Refund €49.90\n  Order: A-1\n  Amount: €49.90\n  Refunded to: Card 4242\n  Reference: rf_1\n" in text
    assert "Not done: Refund €49.90\n  The shop said no.\n" in text


def test_a_german_transcript_is_german(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice, "Hallo", locale="de-AT")
    claim = claim_turn("runner", only=conversation.pk)
    assert claim is not None
    fail_turn(claim, "internal")
    told(conversation, "some.later.event", title="unknown")
    text = transcript(alice_client, conversation).content.decode()
    assert text.startswith("Gespräch mit") and "] Sie\nHallo\n" in text
    assert "Der Assistent konnte nicht antworten." in text and "unknown" not in text


def test_a_transcript_is_in_the_language_the_customer_wrote(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice, "Chciałbym zwrócić zamówienie, bo koszula jest za mała.", locale="en")
    receipt = {"order": "A-1", "amount": "49.90", "currency": "EUR"}
    told(conversation, "action.succeeded", request=str(uuid4()), action="refund_order", title="Zwrot", receipt=receipt)
    text = transcript(alice_client, conversation).content.decode()
    assert text.startswith("Rozmowa: Wrenfell Outdoor\n")
    assert "Wykonano: Zwrot\n  Zamówienie: A-1\n  Kwota: 49,90\u00a0€\n" in text


@pytest.mark.long
def test_a_long_transcript_is_complete(alice_client: APIClient, alice: Customer) -> None:
    conversation = said(alice, *(f"Line {number}." for number in range(510)))
    text = transcript(alice_client, conversation).content.decode()
    assert [line for line in text.splitlines() if line.startswith("Line ")] == [f"Line {n}." for n in range(510)]


def test_only_its_customer_can_download_a_transcript(
    alice_client: APIClient, alice: Customer, channel: NewChannel
) -> None:
    conversation = said(alice, "Secret")
    toms = signed_in(channel, Customer.objects.create(external_id="cus_tom"))
    foreign = transcript(toms, conversation, HTTP_ACCEPT="text/plain")
    missing = toms.get(f"{CONVERSATIONS}/{uuid7()}/transcript")
    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert foreign.json()["code"] == "not_found"
    assert transcript(APIClient(), conversation).status_code == 401
    assert transcript(alice_client, conversation, HTTP_ACCEPT="text/html").status_code == 200


def test_the_list_shows_when_a_conversation_ended(alice_client: APIClient, alice: Customer) -> None:
    Conversation.objects.filter(pk=said(alice).pk).update(ended_at=now())
    assert rows(alice_client)[0]["ended_at"] is not None
