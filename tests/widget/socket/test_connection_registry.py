"""Present customers: their sockets stay open, and those who have closed the page get mail."""

import asyncio
from uuid import UUID

import pytest

from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Channel, User, Workspace
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_agent_message
from supportbot.handoff.mail.customer_presence import is_customer_present, mark_customers_absent
from supportbot.handoff.models import OutgoingMail
from supportbot.handoff.tickets import services as handoff
from supportbot.outbox.delivery import deliver_due
from tests.patience import PATIENCE_SECONDS
from tests.rest import caller
from tests.widget.page import greeted, ticket
from tests.widget.serving import check_sockets

pytestmark = pytest.mark.django_db(transaction=True)


async def until_here(conversation: str, expected: bool) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await db(is_customer_present, UUID(conversation)) is not expected:  # noqa: ASYNC110  # a cache sends no signal
            await asyncio.sleep(0.01)


def with_a_person(conversation: str, agent: User) -> None:
    asked = handoff.request(UUID(conversation), reason="customer_asked", by="customer")
    handoff.set_contact_email(asked.pk, email="alice@example.com")
    handoff.claim(asked.pk, agent=agent)


def mails_after_a_reply(conversation: str, agent: User, client_id: str) -> int:
    add_agent_message(UUID(conversation), text="Hello from Bob", author=agent, client_id=client_id)
    deliver_due()
    return OutgoingMail.objects.count()


async def test_mail_is_sent_only_once_the_page_is_closed(server: str, channel: NewChannel, bob: User) -> None:
    granted = await db(ticket, channel)
    conversation = granted["conversation"]
    await db(with_a_person, conversation, bob)
    async with greeted(server, granted):
        await until_here(conversation, True)
        assert await db(mails_after_a_reply, conversation, bob, "r1") == 0
    await until_here(conversation, False)
    assert await db(mails_after_a_reply, conversation, bob, "r2") == 1


async def test_the_customer_is_present_while_one_of_two_pages_is_open(server: str, channel: NewChannel) -> None:
    first = await db(ticket, channel)
    same = {"visitor": first["visitor"], "conversation": first["conversation"]}
    async with greeted(server, first) as staying:
        async with greeted(server, await db(ticket, channel, **same)):
            await until_here(first["conversation"], True)
        await staying.say("ping")
        await staying.until("head")
        assert await db(is_customer_present, UUID(first["conversation"]))


async def test_the_check_records_presence_again(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=0.02)
    granted = await db(ticket, channel)
    async with greeted(server, granted):
        await until_here(granted["conversation"], True)
        await db(mark_customers_absent, [UUID(granted["conversation"])])  # as if the cache were restarted
        await until_here(granted["conversation"], True)


def begun_over_rest(channel: NewChannel) -> dict[str, str]:
    """Return the visitor's secret and the conversation they started without a page."""
    visitor = new_visitor(channel.channel)
    answer = caller(visitor.secret).post("/api/v1/conversations", {}, format="json")
    return {"visitor": visitor.secret, "conversation": answer.json()["id"]}


async def test_a_conversation_started_over_rest_keeps_its_socket(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=0.02)
    begun = await db(begun_over_rest, channel)
    async with greeted(server, await db(ticket, channel, **begun)) as socket:
        for _ in range(2):  # the server sends a head after every five checks
            await socket.until("head")
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
    assert (await db(Conversation.objects.get)).channel_id == channel.channel.pk


async def test_a_socket_closes_with_the_channel_that_opened_it(
    server: str, channel: NewChannel, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=0.02)
    first = await db(ticket, channel)
    other = await db(create_channel, workspace, "Second shop", allowed_origins=channel.channel.allowed_origins)
    same = {"visitor": first["visitor"], "conversation": first["conversation"]}
    async with greeted(server, first) as old, greeted(server, await db(ticket, other, **same)) as new:
        await db(Channel.objects.filter(pk=channel.channel.pk).update, is_live=False)
        assert await old.close_code() == 4401
        await new.say("ping")
        await new.until("head")
