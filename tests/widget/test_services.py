"""A customer ends a conversation: its log has one event, later messages are refused, and nothing else changes."""

from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.async_db import db
from supportbot.chat.answers import Answer
from supportbot.chat.errors import LeaseLost
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, extend_lease, fail_turn, finish_turn
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.ids import uuid7
from tests.rest import caller, person, signed_in
from tests.widget.page import PAGE_ORIGIN, greeted, identity_token, ticket

CONVERSATIONS = "/api/v1/conversations"


@pytest.fixture
def alice_client(channel: NewChannel, alice: Customer) -> APIClient:
    return signed_in(channel, alice)


def end(client: APIClient, conversation_id: object, **headers: str) -> Any:
    return client.post(f"{CONVERSATIONS}/{conversation_id}/end", **headers)


def log_of(conversation: Conversation) -> list[tuple[str, Any]]:
    rows = ConversationEvent.objects.filter(conversation=conversation, seq__gt=1)
    return [(row.event, row.payload) for row in rows]


@pytest.mark.django_db
def test_the_end_is_logged_once(alice_client: APIClient, alice: Customer) -> None:
    conversation = start_conversation(alice.pk, locale="de")
    assert [end(alice_client, conversation.pk, HTTP_ORIGIN=PAGE_ORIGIN).status_code for _ in range(2)] == [204, 204]
    [(event, payload)] = log_of(conversation)
    assert (event, payload["source"], payload["ends"]) == ("message", "system", True)
    assert payload["text"].startswith("Sie haben dieses Gespräch beendet")
    conversation.refresh_from_db()
    assert conversation.ended_at is not None
    again = ticket_of(alice_client, conversation)
    assert again["ended_at"] is not None


def ticket_of(client: APIClient, conversation: Conversation) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"{CONVERSATIONS}/{conversation.pk}").json()
    return answer


@pytest.mark.django_db
def test_pages_of_the_channel_can_end_a_conversation(alice_client: APIClient, alice: Customer) -> None:
    answer = end(alice_client, start_conversation(alice.pk).pk, HTTP_ORIGIN=PAGE_ORIGIN)
    assert answer["Access-Control-Allow-Origin"] == PAGE_ORIGIN
    assert alice_client.post(f"{CONVERSATIONS}/{uuid7()}/end", {"why": "x"}, format="json").json()["fields"].keys() == {
        "why"
    }


@pytest.mark.django_db
def test_a_waiting_customers_ticket_ends_and_no_answer_starts(
    alice_client: APIClient, alice: Customer, bob: User
) -> None:
    conversation = start_conversation(alice.pk)
    asked = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(asked.pk, agent=bob)
    add_customer_message(conversation.pk, text="Never mind", client_id="m1")
    assert end(alice_client, conversation.pk).status_code == 204
    (handed_back, payload), (last_event, _) = log_of(conversation)[-2:]
    assert (handed_back, payload["outcome"], payload["by"]) == ("handoff.ended", "resolved", "customer")
    assert last_event == "message"
    ended = Ticket.objects.get()
    assert (ended.state, ended.assignee) == ("resolved", bob)
    conversation.refresh_from_db()
    assert conversation.mode == "assistant" and not Turn.objects.exists()


@pytest.mark.django_db
def test_the_answer_being_written_is_stopped(alice_client: APIClient, alice: Customer) -> None:
    conversation = start_conversation(alice.pk)
    add_customer_message(conversation.pk, text="Tell me everything", client_id="m1")
    claim = claim_turn("runner", only=conversation.pk)
    assert claim is not None
    extend_lease(claim, text="Everything [1]. And", index=1)
    add_customer_message(conversation.pk, text="And more", client_id="m2")
    assert end(alice_client, conversation.pk).status_code == 204
    assert [turn.state for turn in Turn.objects.all()] == ["stopped", "stopped"]
    with pytest.raises(LeaseLost):
        finish_turn(claim, Answer("Everything and more", (), "model", is_stopped=True))
    *_, (_, running), (_, pending), (_, last) = log_of(conversation)
    assert (running["text"], running["stopped"], running["by"]) == ("Everything. And", True, "model")
    assert (pending["text"], pending["stopped"], pending["by"]) == ("", True, "builtin")
    assert last["ends"] is True
    assert list(Message.objects.filter(source="assistant").values_list("text", flat=True)) == ["Everything. And"]


@pytest.mark.django_db
def test_nobody_can_end_another_customers_conversation(
    alice_client: APIClient, alice: Customer, channel: NewChannel, workspace: Workspace, bob: User
) -> None:
    conversation = start_conversation(alice.pk)
    toms = signed_in(channel, Customer.objects.create(external_id="cus_tom"))
    foreign, missing = end(toms, conversation.pk), end(toms, uuid7())
    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert end(person(workspace, bob), conversation.pk).status_code == 403
    assert end(APIClient(), conversation.pk).status_code == 401
    assert end(caller("vs_wrong"), conversation.pk).status_code == 401
    conversation.refresh_from_db()
    assert conversation.ended_at is None and log_of(conversation) == []


def _failed_answer(conversation: str) -> str:
    add_customer_message(UUID(conversation), text="Hello", client_id="m1")
    claim = claim_turn("runner", only=UUID(conversation))
    assert claim is not None
    fail_turn(claim, "internal")
    return str(claim.message_id)


@pytest.mark.django_db(transaction=True)
async def test_an_ended_conversation_takes_no_more_messages(server: str, channel: NewChannel, alice: Customer) -> None:
    granted = await db(ticket, channel, token=identity_token(channel))
    failed = await db(_failed_answer, granted["conversation"])
    async with greeted(server, granted) as socket:
        assert (await db(end, signed_in(channel, alice), granted["conversation"])).status_code == 204
        message = await socket.until("message")
        assert message["payload"]["ends"] is True
        before = await db(_books)
        for frame in (
            {"type": "message", "client_id": "m2", "text": "One more thing"},
            {"type": "request_human"},
            {"type": "retry", "message": failed},
        ):
            await socket.send(frame)
            error = await socket.until("error")
            assert error["code"] == "conversation_ended", frame
        await socket.say("rate", score=5)
        assert await socket.quiet() == []
    assert await db(_books) == before
    granted_again = await db(ticket, channel, token=identity_token(channel), conversation=granted["conversation"])
    assert granted_again["config"]["is_ended"] is True


def _books() -> list[Any]:
    log = ConversationEvent.objects.exclude(event="rated")  # a chat may be rated once it has ended
    return [list(rows.order_by("pk").values()) for rows in (log, Turn.objects.all(), Ticket.objects.all())]
