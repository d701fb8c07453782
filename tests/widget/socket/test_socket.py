"""A customer's socket over a real server: greeting, messages, resuming, a second reader, handoff, closing."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from actions.models import AuditEntry
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Channel, Customer, User, Workspace
from supportbot.async_db import db
from supportbot.chat.answers import Answer
from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_agent_message, add_note, add_system_message
from supportbot.chat.signal_broker import publish
from supportbot.chat.signals import Delta, Typing
from supportbot.chat.turns import Claim, claim_turn, extend_lease, finish_turn
from supportbot.handoff.tickets import services as handoff
from supportbot.ids import uuid7
from supportbot.observing.http import HEADER
from supportbot.widget.models import Rating, SocketTicket
from supportbot.widget.socket import feed
from tests.flows.people import call
from tests.log_lines import LogLines, counted
from tests.widget.page import greeted, identity_token, open_socket, ticket
from tests.widget.serving import Served, check_sockets

pytestmark = pytest.mark.django_db(transaction=True)


async def locked(conversation: str, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Write to a conversation as a service does: under its lock, in one transaction."""
    from django.db import transaction

    def work() -> Any:
        with transaction.atomic():
            return write(lock_conversation(UUID(conversation)), *args, **kwargs)

    return await db(work)


async def answering(conversation: str) -> Claim:
    """Start an answer as a runner does."""
    claim = await db(claim_turn, "test", only=UUID(conversation))
    assert claim is not None
    return claim


def delta(claim: Claim, index: int, text: str, *, attempt: int | None = None, offset: int = 0) -> None:
    piece = Delta(str(claim.message_id), claim.attempt if attempt is None else attempt, index, text, offset)
    publish(claim.conversation_id, piece)


async def test_a_message_is_stored_acknowledged_and_logged(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        welcome = socket.frames[0]
        await socket.say("message", client_id="m1", text="  Where is my order?  ")
        ack = await socket.until("ack")
        events = await socket.until_seq(ack["seq"])
    assert welcome["conversation"] == granted["conversation"] and welcome["seq"] == 1 and "AI" in welcome["notice"]
    message = await db(Message.objects.get, client_id="m1")
    assert message.text == events[-1]["payload"]["text"] == "Where is my order?"
    assert (ack["seq"], events[-1]["prev_seq"]) == (message.seq, 1)
    assert await db(Turn.objects.get, conversation=granted["conversation"], state="pending")


async def test_a_message_is_logged_with_its_socket_or_request_and_its_socket_is_counted(
    server: str, running: Served, channel: NewChannel, log_lines: LogLines
) -> None:
    """The line is written by a database thread."""
    closed = partial(counted, "socket_closes_total", kind="chat")
    before, waits = (closed(code="1000"), closed(code="4401")), counted("db_pool_wait_seconds_count", wait="thread")
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        assert counted("sockets_open", kind="chat") == 1
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        async with open_socket(server) as second:
            await second.hello(granted["ticket"])
            assert await second.close_code() == 4401
    await asyncio.to_thread(running.wait_until_idle)
    assert (closed(code="1000"), closed(code="4401")) == (before[0] + 1, before[1] + 1)
    assert counted("sockets_open", kind="chat") == 0
    assert counted("db_pool_wait_seconds_count", wait="thread") > waits

    headers = {"Authorization": f"Bearer {granted['visitor']}", HEADER: "of-the-proxy-1"}
    body = {"client_id": "m2", "text": "Hello?"}
    path = f"/api/v1/conversations/{granted['conversation']}/messages"
    assert (await call(server, "POST", path, body, **headers))[0] == 201
    by_socket, by_request = log_lines.of("message")
    assert len(by_socket["socket"]) == 32 and "request" not in by_socket
    assert by_request["request"] == "of-the-proxy-1" and "socket" not in by_request


async def test_a_message_sent_twice_is_stored_once(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        acks = []
        for _ in range(2):
            await socket.say("message", client_id="m1", text="Hello")
            acks.append(await socket.until("ack"))
        await socket.say("message", client_id="m1", text="Something else")
        error = await socket.until("error")
    assert acks[0] == acks[1]
    assert (error["code"], error["field"], error["client_id"]) == ("client_id_reused", "client_id", "m1")
    assert await db(list, Message.objects.filter(client_id="m1").values_list("text", flat=True)) == ["Hello"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_message"),
        (" \n\u200b ", "empty_message"),
        ("a\x00b", "unreadable_text"),
        ("half \ud83d of a pair", "unreadable_text"),
        ("x" * 4001, "message_too_long"),
    ],
)
async def test_text_that_cannot_be_stored_is_refused(server: str, channel: NewChannel, text: str, code: str) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        await socket.send({"type": "message", "client_id": "m1", "text": text})
        error = await socket.until("error")
        assert (error["code"], error["field"], error["client_id"]) == (code, "text", "m1")
        assert not await db(Message.objects.filter(source="customer").exists)
        await socket.say("message", client_id="m1", text="It still works")
        await socket.until("ack")


async def test_an_invalid_client_id_is_not_sent_back(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        for client_id in ("", "x" * 129, "ä", "half \ud83d"):
            await socket.send({"type": "message", "client_id": client_id, "text": "Hello"})
            error = await socket.until("error")
            assert error["code"] == "invalid_client_id" and "client_id" not in error
    assert not await db(Message.objects.filter(source="customer").exists)


async def test_a_ticket_opens_one_socket(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted), open_socket(server) as second:
        error = await second.hello(granted["ticket"])
        assert (error["code"], error["field"]) == ("ticket_refused", "ticket")
        assert await second.close_code() == 4401


@pytest.mark.parametrize("change", ["expire", "unknown", "channel closed", "conversation bound"])
async def test_an_invalid_ticket_is_refused(server: str, channel: NewChannel, alice: Customer, change: str) -> None:
    granted = await db(ticket, channel)
    secret = granted["ticket"]
    if change == "expire":
        from django.utils.timezone import now

        await db(SocketTicket.objects.update, expires_at=now())
    elif change == "unknown":
        secret = "st_unknown"
    elif change == "channel closed":
        await db(Channel.objects.update, is_live=False)
        await db(Channel.objects.create, key="pk_x", name="X", allowed_origins=channel.channel.allowed_origins)
    else:
        await db(Conversation.objects.update, customer=alice)
    async with open_socket(server) as socket:
        assert (await socket.hello(secret))["code"] == "ticket_refused"
        assert await socket.close_code() == 4401
    assert [frame["type"] for frame in socket.frames] == ["error"]


async def test_a_reader_resumes_in_the_middle_of_an_answer(server: str, channel: NewChannel) -> None:
    first = await db(ticket, channel)
    conversation = first["conversation"]
    async with greeted(server, first) as socket:
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        claim = await answering(conversation)
        started = await socket.until("assistant.started")
        delta(claim, 0, "Your order ")
        await socket.until("delta")
        seen = started["seq"]
    await db(extend_lease, claim, text="Your order ", index=1)
    again = await db(ticket, channel, visitor=first["visitor"], conversation=conversation)
    async with greeted(server, again, last_seq=seen) as socket:
        turn = socket.frames[0]["turn"]
        assert turn == {"message": str(claim.message_id), "attempt": 1, "index": 1, "text": "Your order "}
        delta(claim, 0, "Your order ")  # repeated, since it was in the welcome
        delta(claim, 1, "Your order is on ")  # repeated for a reader who connected late
        assert (await socket.until("delta"))["text"] == "is on "
        delta(claim, 2, "its way.", offset=17)
        assert (await socket.until("delta"))["text"] == "its way."
        await db(finish_turn, claim, Answer("Your order is on its way.", (), by="builtin"))
        final = await socket.until("assistant.final")
        delta(claim, 3, "too late", offset=25)
        assert await socket.quiet() == []
    assert [event["seq"] for event in socket.events] == [seen + 1] and final["prev_seq"] == seen
    assert final["payload"]["text"] == "Your order is on its way."


async def test_missed_events_arrive_in_order_and_once(server: str, channel: NewChannel) -> None:
    first = await db(ticket, channel)
    for number in range(5):
        await locked(first["conversation"], add_system_message, f"line {number}")
    async with greeted(server, first, last_seq=2) as socket:
        events = await socket.until_seq(6)
        await locked(first["conversation"], add_system_message, "live")
        events = await socket.until_seq(7)
    assert [event["seq"] for event in events] == [3, 4, 5, 6, 7]
    assert [event["prev_seq"] for event in events] == [2, 3, 4, 5, 6]


async def test_without_last_seq_only_new_events_arrive(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    await locked(granted["conversation"], add_system_message, "before")
    async with greeted(server, granted) as socket:
        assert socket.frames[0]["seq"] == 2
        assert await socket.quiet() == []
        await locked(granted["conversation"], add_system_message, "after")
        assert (await socket.until("message"))["payload"]["text"] == "after"


@pytest.mark.parametrize("last_seq", [0, 9_000])
async def test_a_reader_who_missed_too_much_gets_a_reset(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch, last_seq: int
) -> None:
    monkeypatch.setattr(feed, "MAX_MISSED", 3)
    granted = await db(ticket, channel)
    for _ in range(4):
        await locked(granted["conversation"], add_system_message, "line")
    async with greeted(server, granted, last_seq=last_seq) as socket:
        assert [(await socket.next())["type"] for _ in range(2)] == ["reset", "head"]
        assert socket.frames[-1]["seq"] == 5
        await locked(granted["conversation"], add_system_message, "live")
        assert (await socket.until("message"))["seq"] == 6


async def test_two_sockets_see_the_same_log(server: str, channel: NewChannel, bob: User) -> None:
    first = await db(ticket, channel)
    second = await db(ticket, channel, visitor=first["visitor"], conversation=first["conversation"])
    async with greeted(server, first) as one, greeted(server, second) as two:
        await one.say("message", client_id="m1", text="From one")
        await two.say("message", client_id="m2", text="From two")
        await one.until("ack")
        await two.until("ack")
        await db(add_note, UUID(first["conversation"]), text="For the team only", author=bob, client_id="n1")
        last = await locked(first["conversation"], add_system_message, "After a note")
        logs = [[(event["seq"], event["payload"]) for event in await s.until_seq(last.seq)] for s in (one, two)]
    assert logs[0] == logs[1] and [seq for seq, _ in logs[0]] == [2, 3, 5]
    assert one.events[-1]["prev_seq"] == 3  # the note between them is hidden from customers, and not a gap
    assert "For the team only" not in str(one.frames) + str(two.frames)


async def test_no_delta_is_sent_after_an_agent_joins(server: str, channel: NewChannel, bob: User) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        claim = await answering(granted["conversation"])
        await socket.until("assistant.started")
        delta(claim, 0, "Let me see")
        await socket.until("delta")
        await socket.say("request_human", reason="I want a person")
        requested = await socket.until("handoff.requested")
        asked = await db(handoff.claim, UUID(requested["payload"]["ticket"]), agent=bob)
        joined = await socket.until("handoff.joined")
        delta(claim, 1, "and so on")
        assert [frame for frame in await socket.quiet() if frame["type"] == "delta"] == []
        publish(claim.conversation_id, Typing("Bob", "agent"))
        assert (await socket.until("typing"))["who"] == "Bob"
        await db(add_agent_message, UUID(granted["conversation"]), text="Bob here", author=bob, client_id="b1")
        reply = await socket.until("message")
    assert joined["payload"] == {"ticket": str(asked.pk), "agent": "Bob"}
    assert (reply["payload"]["source"], reply["payload"]["author"]) == ("agent", "Bob")
    assert asked.summary == "I want a person"


async def test_deltas_of_an_older_attempt_are_dropped(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        claim = await answering(granted["conversation"])
        payload = {"message": str(claim.message_id), "attempt": 2}
        await locked(granted["conversation"], append_event, "assistant.started", payload)
        delta(claim, 0, "old", attempt=1)
        delta(claim, 0, "new", attempt=2)
        assert (await socket.until("delta"))["text"] == "new"
    assert socket.deltas == "new"


async def test_stop_and_retry_reach_the_turn(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        await socket.say("stop")
        final = await socket.until("assistant.final")
        assert final["payload"]["stopped"] is True
        await socket.say("retry", message=final["payload"]["message"])
        await socket.quiet()
        assert await db(Turn.objects.filter(state="pending").count) == 1
        await socket.say("retry", message=final["payload"]["message"])
        error = await socket.until("error")
        assert (error["code"], error["field"]) == ("nothing_to_retry", "message")


async def test_scores_are_stored_and_replaced(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
        claim = await answering(granted["conversation"])
        await db(finish_turn, claim, Answer("An answer.", (), by="builtin"))
        await socket.until("assistant.final")
        await socket.say("rate", score=2, message=str(claim.message_id))
        await socket.say("rate", score=4, message=str(claim.message_id), comment="Better than I thought")
        await socket.say("rate", score=5)
        await socket.quiet()
        await socket.say("rate", score=5, message=granted["conversation"])
        error = await socket.until("error")
    assert (error["code"], error["field"]) == ("not_found", "message")
    kept = await db(list, Rating.objects.order_by("score").values_list("score", "message_id", "comment"))
    assert kept == [(4, claim.message_id, "Better than I thought"), (5, None, "")]


def _agent_writes(conversation: str, agent: User) -> tuple[UUID, UUID]:
    """Return the ids of an agent's reply and of an internal note."""
    handoff.claim(handoff.request(UUID(conversation), reason="customer_asked", by="customer").pk, agent=agent)
    reply = add_agent_message(UUID(conversation), text="I am Bob", author=agent, client_id="b1")
    return reply.message_id, add_note(UUID(conversation), text="Careful", author=agent, client_id="b2").message_id


async def test_an_agents_reply_can_be_rated_and_a_note_is_not_found(
    server: str, channel: NewChannel, bob: User
) -> None:
    granted = await db(ticket, channel)
    reply, note = await db(_agent_writes, granted["conversation"], bob)
    async with greeted(server, granted) as socket:
        await socket.say("rate", score=5, message=str(reply))
        await socket.say("rate", score=1, message=str(note))
        hidden = await socket.until("error")
        await socket.say("rate", score=1, message=granted["conversation"])
        missing = await socket.until("error")
    assert hidden == missing and hidden["code"] == "not_found"
    assert await db(list, Rating.objects.values_list("score", "message_id")) == [(5, reply)]


async def test_unknown_actions_are_reported_as_not_found(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("confirm", request=granted["conversation"], digest="0" * 64)
        error = await socket.until("error")
        await socket.say("decline", request=granted["conversation"])
        await socket.until("error")
    assert (error["code"], error["request"]) == ("not_found", granted["conversation"])


async def test_signing_in_binds_a_visitors_conversation_once(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("identify", token=identity_token(channel, "cus_alice"))
        await socket.quiet()
        conversation = await db(Conversation.objects.select_related("customer").get)
        assert conversation.customer.external_id == "cus_alice"
        await socket.say("identify", token=identity_token(channel, "cus_mallory"))
        error = await socket.until("error")
        assert (error["code"], error["field"]) == ("other_subject", "token")
        await socket.say("identify", token=identity_token(channel, "cus_alice", exp=1, iat=0))
        error = await socket.until("error")
        assert (error["code"], error["field"]) == ("invalid_token", "token")
        await socket.say("message", client_id="m1", text="Still here")
        await socket.until("ack")
    assert (await db(Conversation.objects.get)).customer_id == conversation.customer_id
    assert not await db(Customer.objects.filter(external_id="cus_mallory").exists)


async def test_logging_out_ends_the_socket(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel, token=identity_token(channel))) as socket:
        await socket.say("logout")
        await socket.say("message", client_id="m1", text="Am I still there?")
        assert await socket.close_code() == 4401
    assert not await db(Message.objects.filter(source="customer").exists)


async def test_a_socket_stores_nothing_once_its_conversation_has_another_owner(
    server: str, channel: NewChannel, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=3_600)  # which would close it before it writes
    async with greeted(server, await db(ticket, channel)) as socket:
        await db(Conversation.objects.update, customer=alice)
        await socket.say("message", client_id="m1", text="Mine?")
        assert (await socket.until("error"))["code"] == "not_found"
    assert not await db(Message.objects.filter(source="customer").exists)
    assert await db(AuditEntry.objects.filter(event="conversation.not_theirs").count) == 1


@pytest.mark.parametrize("change", ["channel closed", "customer forgotten"])
async def test_a_socket_that_is_no_longer_authorized_is_closed(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    check_sockets(monkeypatch, every_seconds=0.05)
    async with greeted(server, await db(ticket, channel)) as socket:
        if change == "channel closed":
            await db(Channel.objects.update, is_live=False)
        else:
            await db(ConversationEvent.objects.all().delete)
            await db(Message.objects.all().delete)
            await db(Customer.objects.all().delete)
        assert await socket.close_code() == 4401


async def test_missed_events_are_sent_after_a_lost_signal(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    granted = await db(ticket, channel)

    payload = {"message": str(uuid7()), "source": "system", "text": "unheard"}

    def silently() -> None:
        Conversation.objects.filter(pk=granted["conversation"]).update(last_seq=2, last_public_seq=2)
        ConversationEvent.objects.create(
            conversation_id=granted["conversation"], seq=2, prev_seq=1, event="message", payload=payload
        )

    async with greeted(server, granted) as socket:
        await db(silently)
        assert (await socket.until("message"))["payload"]["text"] == "unheard"
