"""An agent's socket over a real server: log-in, queue, conversation, messages, colleagues, reconnects."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import InterfaceError

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.async_db import db
from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.chat.services import add_agent_message, add_customer_message, add_note, start_conversation
from supportbot.chat.signal_broker import publish
from supportbot.chat.signals import Typing
from supportbot.handoff.desk import consumer as consumers
from supportbot.handoff.desk.consumer import Agent, authenticate
from supportbot.handoff.desk.protocol import FRAMES
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.handoff.desk.desksocket import CLIENT_FRAMES, cookie_of, logged_in_desk, open_desk, schema
from tests.handoff.desk.turns import answer_turn
from tests.log_lines import counted
from tests.widget.conftest import running as running
from tests.widget.conftest import server as server
from tests.widget.serving import Served

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(ticket: Ticket, bob: User) -> Ticket:
    return services.claim(ticket.pk, agent=bob)


def test_the_schemas_name_the_same_frames_as_the_code() -> None:
    shown = {frame["properties"]["type"]["const"] for frame in schema("client")["oneOf"]}
    assert shown == set(FRAMES)


# --- Log-in.


async def test_a_socket_without_a_session_is_refused_and_counted(
    server: str, running: Served, workspace: Workspace
) -> None:
    before = counted("socket_closes_total", kind="desk", code="4401")
    for cookie in ("", "sessionid=unknown", "sessionid=é;;=;a b[=1"):
        async with open_desk(server, cookie) as socket:
            assert await socket.close_code() == 4401
            assert socket.frames[-1]["code"] == "not_logged_in"
    await asyncio.to_thread(running.wait_until_idle)
    assert counted("socket_closes_total", kind="desk", code="4401") == before + 3


async def test_another_origin_is_refused_even_with_a_session(server: str, bob: User) -> None:
    cookie = await db(cookie_of, bob)
    for origin in ("https://evil.test", "null", None):
        async with open_desk(server, cookie, origin=origin) as socket:
            assert await socket.close_code() == 4403


async def test_a_role_that_cannot_answer_customers_is_refused(server: str, workspace: Workspace) -> None:
    editor = await db(User.objects.create_user, "hanna")
    await db(add_member, workspace, editor, Membership.Role.EDITOR)
    async with open_desk(server, await db(cookie_of, editor)) as socket:
        assert await socket.close_code() == 4401


async def test_the_next_frame_after_a_logout_closes_the_socket(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await db(Session.objects.all().delete)
        await socket.send_frame("reply", conversation=str(held.conversation_id), client_id="1", text="Still me")
        assert await socket.close_code() == 4401
    assert not await db(Message.objects.filter(source="agent").exists)


async def test_a_logout_closes_a_silent_socket(server: str, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "HEARTBEAT_SECONDS", 0.05)
    async with logged_in_desk(server, bob) as socket:
        await db(Session.objects.all().delete)
        assert await socket.close_code() == 4401


@pytest.mark.parametrize("is_silent", [False, True])
async def test_leaving_the_workspace_closes_the_socket(
    server: str, held: Ticket, bob: User, other_workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch, is_silent: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(consumers, "HEARTBEAT_SECONDS", 0.05 if is_silent else 3_600)
    await db(add_member, other_workspace, bob, Membership.Role.AGENT)
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        await db(Membership.objects.filter(user=bob, workspace=held.workspace_id).delete)
        if not is_silent:
            await socket.send_frame("ping")
        assert await socket.close_code() == 4401
    assert socket.frames[-1]["code"] == "other_workspace"


async def test_a_stranger_can_neither_read_nor_write(server: str, held: Ticket, mallory: User) -> None:
    before = await db(ConversationEvent.objects.count)
    async with logged_in_desk(server, mallory) as socket:
        assert socket.frames[-1]["rows"] == []
        await socket.send_frame("subscribe", conversation=str(held.conversation_id))
        assert (await socket.until("error"))["code"] == "not_found"
        for kind in ("reply", "note"):
            await socket.send_frame(kind, conversation=str(held.conversation_id), client_id=kind, text="Hello")
            assert (await socket.until("error", client_id=kind))["code"] == "not_found"
        await db(add_customer_message, held.conversation_id, text="A secret", client_id="1")
        publish(held.conversation_id, Typing("", "customer"))
        assert await socket.frames_until_ping() == []
    assert await db(ConversationEvent.objects.count) == before + 1


# --- Bad frames.


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ("{", None),
        (b"\x00", None),
        ("[]", None),
        ('{"type":"ping","type":"ping"}', None),
        ({"type": "dance"}, "type"),
        ({"type": "hello"}, "type"),
        ({"type": "subscribe"}, "conversation"),
        ({"type": "subscribe", "conversation": 7}, "conversation"),
        ({"type": "subscribe", "conversation": str(uuid4()), "last_seq": True}, "last_seq"),
        ({"type": "reply", "conversation": str(uuid4()), "client_id": "ä", "text": "x"}, "client_id"),
        ({"type": "reply", "conversation": str(uuid4()), "client_id": "1", "text": 5}, "text"),
        ({"type": "typing", "conversation": str(uuid4()), "kind": "singing"}, "kind"),
        ({"type": "note", "conversation": str(uuid4()), "client_id": "1", "text": "x", "author": "Ines"}, "'author'"),
        ("x" * 20_000, None),
    ],
)
async def test_a_bad_frame_is_refused_by_field_and_the_socket_stays_open(
    server: str, bob: User, frame: Any, field: str | None
) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.send_raw(frame)
        error = await socket.until("error")
        assert (error["code"], error.get("field")) == ("invalid_frame", field)
        assert isinstance(frame, str | bytes) or frame == {"type": "hello"} or not CLIENT_FRAMES.is_valid(frame)
        assert await socket.frames_until_ping() == []


async def test_three_bad_frames_in_a_row_close_the_socket(server: str, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        for _ in range(3):
            await socket.send_raw("{")
        assert await socket.close_code() == 4400


async def test_too_many_frames_close_the_socket(server: str, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "MAX_FRAMES_PER_HEARTBEAT", 6)
    monkeypatch.setattr(consumers, "HEARTBEAT_SECONDS", 3_600)  # none passes during the test
    async with logged_in_desk(server, bob) as socket:
        for _ in range(6):
            await socket.send_frame("ping")
        assert await socket.close_code() == 4429


# --- The queue.


async def test_a_new_ticket_reaches_every_desk_of_its_workspace(
    server: str, workspace: Workspace, conversation: Conversation, bob: User, noor: User
) -> None:
    async with logged_in_desk(server, bob) as bobs, logged_in_desk(server, noor) as noors:
        wish = {"reason": "no_answer", "by": "assistant", "summary": "Wants a pole"}
        ticket = await db(services.request, conversation.pk, **wish)
        for desk in (bobs, noors):
            row = (await desk.until("ticket"))["row"]
            assert (row["ticket"], row["group"], row["what"]) == (str(ticket.pk), "waiting", "Wants a pole")
            assert (await desk.until("queue"))["counts"] == {"mine": 0, "waiting": 1, "open": 1, "approvals": 0}
        await db(services.claim, ticket.pk, agent=bob)
        assert (await bobs.until("ticket"))["row"]["group"] == "mine"
        row = (await noors.until("ticket"))["row"]
        assert (row["group"], row["holder"]) == ("colleagues", "Bob")


async def test_a_customers_message_to_an_agent_shows_in_the_queue(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        assert socket.frames[-1]["rows"][0]["is_new"] is False
        await db(add_customer_message, held.conversation_id, text="Hello?", client_id="1")
        row = (await socket.until("ticket"))["row"]
        assert (row["what"], row["is_new"]) == ("Hello?", True)


# --- A conversation.


async def test_a_subscription_receives_events_and_notes(server: str, held: Ticket, bob: User, noor: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        await db(add_customer_message, held.conversation_id, text="It is broken", client_id="1")
        await db(add_note, held.conversation_id, text="Second one", author=noor, client_id="2")
        said, note = await socket.until("message"), await socket.until("message")
        assert (said["line"]["kind"], said["line"]["text"]) == ("customer", "It is broken")
        assert (note["line"]["kind"], note["line"]["speaker"], note["prev_seq"]) == ("note", "Noor Aziz", said["seq"])


@pytest.mark.long
async def test_an_answer_arrives_as_clean_html_and_as_text(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        await db(services.return_to_assistant, held.pk, agent=bob)
        await db(add_customer_message, held.conversation_id, text="Is it *free*?", client_id="1")
        await db(answer_turn, await db(Conversation.objects.get, pk=held.conversation_id), "**Yes** <script>1</script>")
        asked, answer = await socket.until("message"), await socket.until("assistant.final")
        assert "html" not in asked["line"]
        assert answer["line"]["text"] == "**Yes** <script>1</script>"
        assert answer["line"]["html"] == '<p dir="auto"><strong>Yes</strong> &lt;script&gt;1&lt;/script&gt;</p>'


async def test_a_reconnect_replays_missed_events_once_and_in_order(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        await db(add_customer_message, held.conversation_id, text="One", client_id="1")
        seen = (await socket.until("message"))["seq"]
    for number in range(2, 5):
        await db(add_customer_message, held.conversation_id, text=f"{number}", client_id=f"{number}")
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id, last_seq=seen)
        await socket.until("event", seq=seen + 3)
        await db(add_customer_message, held.conversation_id, text="5", client_id="5")
        await socket.until("event", seq=seen + 4)
        assert [event["payload"]["text"] for event in socket.events] == ["2", "3", "4", "5"]
        assert [event["prev_seq"] for event in socket.events] == list(range(seen, seen + 4))


async def test_an_unknown_seq_starts_at_the_head(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id, last_seq=10_000)
        head = socket.frames[-1]["seq"]
        await db(add_customer_message, held.conversation_id, text="Hello", client_id="1")
        assert (await socket.until("message"))["seq"] == head + 1


async def test_only_the_open_conversation_sends_events(server: str, held: Ticket, bob: User, alice: Customer) -> None:
    other = await db(start_conversation, alice.pk)
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        await socket.subscribe(other.pk)
        await db(add_customer_message, held.conversation_id, text="Unheard", client_id="1")
        assert [frame for frame in await socket.frames_until_ping() if frame["type"] == "event"] == []


# --- Writing.


def broken_connection(*args: object) -> None:
    raise InterfaceError("the connection is closed")


async def test_a_reply_is_stored_acknowledged_and_shown_once(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        for _ in range(2):
            await socket.send_frame(
                "reply", conversation=str(held.conversation_id), client_id="m1", text="A new one comes."
            )
            ack = await socket.until("ack", client_id="m1")
        await socket.frames_until_ping()
    message = await db(Message.objects.get, source="agent")
    assert (message.text, message.seq, message.audience) == ("A new one comes.", ack["seq"], "everyone")
    assert [event["line"]["kind"] for event in socket.events] == ["me"]


async def test_a_database_error_during_a_reply_keeps_the_socket_open(
    server: str, held: Ticket, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"conversation": str(held.conversation_id), "client_id": "m1", "text": "A new one comes."}
    async with logged_in_desk(server, bob) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(consumers, "_store_message", broken_connection)
            await socket.send_frame("reply", **said)
            assert (await socket.until("error"))["code"] == "unavailable"
        await socket.send_frame("reply", **said)
        await socket.until("ack", client_id="m1")


async def test_a_database_error_at_hello_does_not_log_out(
    server: str, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def only_at_the_door(session_key: str) -> Agent:
        asked.append(session_key)
        if len(asked) > 1:
            raise InterfaceError("the connection is closed")
        return authenticate(session_key)

    monkeypatch.setattr(consumers, "authenticate", only_at_the_door)
    async with open_desk(server, await db(cookie_of, bob)) as socket:
        await socket.send_frame("hello")
        assert await socket.close_code() == 1011
    assert socket.frames[-1]["code"] == "unavailable"


async def test_a_failed_subscription_works_after_a_reconnect(
    server: str, held: Ticket, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with logged_in_desk(server, bob) as socket:
        monkeypatch.setattr(consumers, "_load_conversation", broken_connection)
        await socket.send_frame("subscribe", conversation=str(held.conversation_id))
        assert await socket.close_code() == 1011


async def test_a_note_is_visible_to_the_team_only(server: str, held: Ticket, noor: User) -> None:
    async with logged_in_desk(server, noor) as socket:
        await socket.send_frame("note", conversation=str(held.conversation_id), client_id="n1", text="Be kind")
        await socket.until("ack", client_id="n1")
    assert (await db(Message.objects.get, source="agent")).audience == "staff"


async def test_replying_in_a_colleagues_conversation_is_refused(server: str, held: Ticket, noor: User) -> None:
    async with logged_in_desk(server, noor) as socket:
        await socket.send_frame("reply", conversation=str(held.conversation_id), client_id="m1", text="Me too")
        assert (await socket.until("error", client_id="m1"))["code"] == "not_yours"
    assert not await db(Message.objects.filter(source="agent").exists)


# --- Colleagues.


async def test_typing_is_shown_both_ways(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id)
        publish(held.conversation_id, Typing("", "customer"))
        assert (await socket.until("typing"))["source"] == "customer"


async def test_colleagues_see_each_others_activity(
    server: str, held: Ticket, bob: User, noor: User, alice: Customer
) -> None:
    async with logged_in_desk(server, bob) as bobs, logged_in_desk(server, noor) as noors:
        await bobs.subscribe(held.conversation_id)
        await noors.subscribe(held.conversation_id)
        assert (await bobs.until("presence"))["who"] == "Noor Aziz"
        assert (await noors.until("presence"))["who"] == "Bob"
        await bobs.send_frame("typing", conversation=str(held.conversation_id), kind="reply")
        await noors.until("presence", who="Bob", doing="replying")
        other = await db(start_conversation, alice.pk)
        await bobs.subscribe(other.pk)
        await noors.until("presence", who="Bob", doing="gone")


async def test_a_takeover_silences_the_assistant_at_the_desk(server: str, held: Ticket, bob: User) -> None:
    async with logged_in_desk(server, bob) as socket:
        await socket.subscribe(held.conversation_id, last_seq=0)
        await db(add_agent_message, held.conversation_id, text="Here", author=bob, client_id="1")
        await socket.until("message", prev_seq=(await db(Conversation.objects.get)).last_seq - 1)
        names = [event["event"] for event in socket.events]
    assert not [name for name in names[names.index("handoff.joined") :] if name.startswith("assistant")]


async def test_a_customer_without_a_name_gets_a_label(server: str, bob: User, workspace: Workspace) -> None:
    visitor = await db(Customer.objects.create)
    conversation = await db(start_conversation, visitor.pk)
    async with logged_in_desk(server, bob) as socket:
        await db(services.request, conversation.pk, reason="customer_asked", by="customer")
        row = (await socket.until("ticket"))["row"]
    assert row["who"].startswith("Visitor ") and row["initials"] == ""
