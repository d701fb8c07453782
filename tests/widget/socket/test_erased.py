"""When a conversation is erased, every open socket gets an error and is closed, even if the signal is lost."""

from typing import Any
from uuid import UUID

import pytest
from django.db.models import QuerySet
from rest_framework.test import APIClient

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import head_of
from supportbot.chat.services import add_customer_message
from supportbot.chat.turns import claim_turn
from supportbot.widget.models import SocketTicket
from supportbot.widget.socket import feed
from tests.rest import caller, signed_in
from tests.widget.page import Socket, greeted, identity_token, open_socket, ticket
from tests.widget.serving import check_sockets

pytestmark = pytest.mark.django_db(transaction=True)
CONVERSATIONS = "/api/v1/conversations"


async def goodbye(socket: Socket) -> tuple[str, int]:
    """Return the code of the last error, and the code of the close."""
    error = await socket.until("error")
    return error["code"], await socket.close_code()


def delete(client: APIClient, path: str = "") -> int:
    return int(client.delete(f"{CONVERSATIONS}{path}").status_code)


async def test_every_open_socket_gets_an_error_and_is_closed(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    proof = {"visitor": granted["visitor"], "conversation": granted["conversation"]}
    other = await db(ticket, channel, visitor=granted["visitor"])
    same = await db(ticket, channel, **proof)
    async with greeted(server, granted) as one, greeted(server, same) as two, greeted(server, other) as stays:
        assert await db(delete, caller(granted["visitor"]), f"/{granted['conversation']}") == 204
        assert [await goodbye(socket) for socket in (one, two)] == [("erased", 4401)] * 2
        assert await stays.quiet() == []
        assert await db(delete, caller(granted["visitor"])) == 204
        assert await goodbye(stays) == ("erased", 4401)
    assert await db(Conversation.objects.count) == 0


async def test_a_socket_that_missed_the_signal_is_closed_by_the_check(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=0.05)
    monkeypatch.setattr("supportbot.chat.erasure.publish_after_commit", lambda *_: None)
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        assert await db(delete, caller(granted["visitor"])) == 204
        assert await goodbye(socket) == ("erased", 4401)


async def test_a_ticket_for_an_erased_conversation_opens_nothing(
    server: str, channel: NewChannel, alice: Customer
) -> None:
    granted = await db(ticket, channel, token=identity_token(channel))
    assert await db(delete, signed_in(channel, alice)) == 204
    async with open_socket(server) as socket:
        refused = await socket.hello(granted["ticket"])
        assert (refused["code"], await socket.close_code()) == ("ticket_refused", 4401)


async def test_a_conversation_is_erased_between_its_ticket_and_the_first_read_of_its_log(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await db(ticket, channel)

    def erased_just_now(conversation_id: UUID) -> int:
        assert delete(caller(granted["visitor"])) == 204
        return head_of(conversation_id)

    monkeypatch.setattr("supportbot.chat.erasure.publish_after_commit", lambda *_: None)
    monkeypatch.setattr(feed, "head_of", erased_just_now)
    async with open_socket(server) as socket:
        await socket.say("hello", ticket=granted["ticket"])
        assert await goodbye(socket) == ("erased", 4401)


async def test_a_conversation_is_erased_while_its_ticket_is_redeemed(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await db(ticket, channel)

    def erased_just_after(tickets: Any, **values: Any) -> int:
        used = update(tickets, **values)
        assert delete(caller(granted["visitor"])) == 204
        return used

    update = QuerySet.update
    monkeypatch.setattr(
        QuerySet,
        "update",
        lambda rows, **values: (erased_just_after if rows.model is SocketTicket else update)(rows, **values),
    )
    async with open_socket(server) as socket:
        await socket.say("hello", ticket=granted["ticket"])
        assert await goodbye(socket) == ("ticket_refused", 4401)


def _question(conversation: str) -> Any:
    add_customer_message(UUID(conversation), text="Hello?", client_id="m1")
    return claim_turn("runner", only=UUID(conversation))


async def test_a_conversation_is_erased_in_the_middle_of_an_answer(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        assert await db(_question, granted["conversation"]) is not None
        await socket.until("assistant.started")
        assert await db(delete, caller(granted["visitor"])) == 204
        assert await goodbye(socket) == ("erased", 4401)
