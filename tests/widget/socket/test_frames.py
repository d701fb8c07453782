"""Rejected frames and close codes, over a real server."""

import asyncio
import json
import threading

import pytest
from django.conf import settings

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Workspace
from supportbot.async_db import db
from supportbot.chat import rate_limit as chat_rate_limit
from supportbot.chat.models import ConversationEvent, Message
from supportbot.widget.models import Rating, SocketTicket
from supportbot.widget.session import origin_checks
from supportbot.widget.socket import connection_registry, consumer
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import ask_for_ticket, greeted, open_socket, ticket
from tests.widget.serving import check_sockets, served

pytestmark = pytest.mark.django_db(transaction=True)
SOME_ID = "0197f000-0000-7000-8000-000000000000"


def stored() -> tuple[int, int, int]:
    return ConversationEvent.objects.count(), Message.objects.count(), Rating.objects.count()


CHOICE = {"type": "choose", "client_id": "m1", "block": f"{SOME_ID}:0", "option": "a"}
FORM = {"type": "submit", "client_id": "m1", "block": f"{SOME_ID}:0", "values": {}}
MESSAGE = {"type": "message", "client_id": "m1", "text": "Hello"}
BAD_FRAMES = [
    ("{", "invalid_frame", None),
    ("", "invalid_frame", None),
    ("[]", "invalid_frame", None),
    ('"message"', "invalid_frame", None),
    ("null", "invalid_frame", None),
    ("[" * 10_000, "invalid_frame", None),
    ('{"a":' * 3_000, "invalid_frame", None),
    ('{"type": "ping", "type": "stop"}', "invalid_frame", None),
    ('{"type": "rate", "score": NaN}', "invalid_frame", None),
    ('{"type": "rate", "score": ' + "9" * 5_000 + "}", "invalid_frame", None),
    (b'{"type": "ping"}', "invalid_frame", None),
    ("x" * 16_385, "frame_too_big", None),
    (json.dumps({**MESSAGE, "text": "x" * 100_000}), "frame_too_big", None),
    (json.dumps({**MESSAGE, "text": "€" * 6_000}, ensure_ascii=False), "frame_too_big", None),
    ({"type": "shout"}, "unknown_frame", "type"),
    ({"type": 1}, "unknown_frame", "type"),
    ({"type": ["ping"]}, "unknown_frame", "type"),
    ({}, "unknown_frame", "type"),
    ({"type": "ping", "seq": 1}, "invalid_frame", "seq"),
    ({**MESSAGE, "role": "system"}, "invalid_frame", "role"),
    ({**MESSAGE, "sender": "agent"}, "invalid_frame", "sender"),
    ({**MESSAGE, "verified": True}, "invalid_frame", "verified"),
    ({**MESSAGE, "conversation": SOME_ID}, "invalid_frame", "conversation"),
    ({**MESSAGE, "attachments": "a.png"}, "invalid_frame", "attachments"),
    ({**MESSAGE, "attachments": None}, "invalid_frame", "attachments"),
    ({**MESSAGE, "attachments": [{"name": "a.png"}]}, "attachments_not_supported", "attachments"),
    ({**MESSAGE, "half \ud83d": 1}, "invalid_frame", "half ?"),
    ({"type": "message", "text": "Hello"}, "invalid_frame", "client_id"),
    ({"type": "message", "client_id": "m1"}, "invalid_frame", "text"),
    ({**MESSAGE, "text": None}, "invalid_frame", "text"),
    ({**MESSAGE, "text": ["Hello"]}, "invalid_frame", "text"),
    ({**MESSAGE, "client_id": 1}, "invalid_frame", "client_id"),
    ({**CHOICE, "block": SOME_ID}, "invalid_frame", "block"),
    ({**CHOICE, "block": f"{SOME_ID}:-1"}, "invalid_frame", "block"),
    ({**CHOICE, "block": f"{SOME_ID}:100"}, "invalid_frame", "block"),
    ({**CHOICE, "block": f"{SOME_ID}:٠"}, "invalid_frame", "block"),
    ({**CHOICE, "option": 1}, "invalid_frame", "option"),
    ({**CHOICE, "text": "Refund all"}, "invalid_frame", "text"),
    ({**FORM, "values": []}, "invalid_frame", "values"),
    ({**FORM, "values": [{"city": "Ulm"}] * 21}, "invalid_frame", "values"),
    ({**FORM, "values": [{"city": "Ulm"}, "Bonn"]}, "invalid_frame", "values.1"),
    ({**FORM, "values": [{"city": "Ulm"}, {"city": [1]}]}, "invalid_frame", "values.1.city"),
    ({**FORM, "values": [[{"city": "Ulm"}]]}, "invalid_frame", "values.0"),
    ({**FORM, "values": {str(number): "x" for number in range(21)}}, "invalid_frame", "values"),
    ({**FORM, "values": {"half \ud83d": "x"}}, "invalid_frame", "values"),
    ({**FORM, "values": {"city": None}}, "invalid_frame", "values.city"),
    ({**FORM, "values": {"city": True}}, "invalid_frame", "values.city"),
    ({**FORM, "values": {"city": {"html": "<b>"}}}, "invalid_frame", "values.city"),
    ({**FORM, "values": {"city": "a\x00b"}}, "invalid_frame", "values.city"),
    ({**FORM, "values": {"city": "x" * 1_001}}, "invalid_frame", "values.city"),
    ({"type": "rate", "score": 0}, "invalid_frame", "score"),
    ({"type": "rate", "score": 6}, "invalid_frame", "score"),
    ({"type": "rate", "score": 4.0}, "invalid_frame", "score"),
    ({"type": "rate", "score": True}, "invalid_frame", "score"),
    ({"type": "rate", "score": "4"}, "invalid_frame", "score"),
    ({"type": "rate", "score": 4, "comment": "a\x00b"}, "invalid_frame", "comment"),
    ({"type": "rate", "score": 4, "comment": "half \ud83d"}, "invalid_frame", "comment"),
    ({"type": "rate", "score": 4, "comment": "x" * 1_001}, "invalid_frame", "comment"),
    ({"type": "rate", "score": 4, "message": "17"}, "invalid_frame", "message"),
    ({"type": "rate", "score": 1, "reason": "rude"}, "invalid_frame", "reason"),
    ({"type": "rate", "score": 1, "reason": ["wrong"]}, "invalid_frame", "reason"),
    ({"type": "retry", "message": "{" + SOME_ID + "}"}, "invalid_frame", "message"),
    ({"type": "confirm", "request": SOME_ID}, "invalid_frame", "digest"),
    ({"type": "confirm", "request": SOME_ID, "digest": "yes"}, "invalid_frame", "digest"),
    ({"type": "request_human", "reason": "x" * 501}, "invalid_frame", "reason"),
    ({"type": "identify", "token": "x" * 8_001}, "invalid_frame", "token"),
    ({"type": "hello", "ticket": "st_x"}, "out_of_order", "type"),
]


async def test_a_bad_frame_gets_an_error_and_the_socket_stays_open(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is followed by a ping (`quiet`), since three in a row would close the socket."""
    monkeypatch.setattr(consumer, "FRAME_BURST", 2 * len(BAD_FRAMES) + 1)
    async with greeted(server, await db(ticket, channel)) as socket:
        before = await db(stored)
        for frame, code, field in BAD_FRAMES:
            await socket.send(frame)
            error = await socket.until("error")
            sent = str(frame)[:200]
            assert (error["code"], error.get("field")) == (code, field), sent
            if isinstance(frame, dict) and frame.get("client_id") == "m1":
                assert error["client_id"] == "m1", sent
            assert await socket.quiet() == [] and await db(stored) == before, sent


async def test_three_bad_frames_in_a_row_close_the_socket(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        for frame in ("{", {"type": "ping"}, "{", "{"):
            await socket.send(frame)
        await socket.quiet()
        for frame in ("{", "{", "{"):
            await socket.send(frame)
        assert await socket.close_code() == 4400
    assert [frame["type"] for frame in socket.frames].count("error") == 6


async def test_a_file_is_refused_and_the_text_alone_is_accepted(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        for _ in range(4):  # the frame is valid, so no number of them closes the socket
            await socket.say("message", client_id="m1", text="See the picture", attachments=["a.png"])
            assert "Send it without files" in (await socket.until("error"))["message"]
        await socket.say("message", client_id="m1", text="See the picture", attachments=[])
        assert (await socket.until("ack"))["client_id"] == "m1"


async def test_the_server_closes_on_an_oversized_frame(server: str, channel: NewChannel) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        await socket.send("x" * 300_000)
        assert await socket.close_code() == 1009


async def test_nothing_is_done_before_hello(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    before = await db(stored)
    async with open_socket(server) as socket:
        for frame in (MESSAGE, {"type": "ping"}):
            await socket.send(frame)
            assert (await socket.until("error"))["code"] == "out_of_order"
        assert (await socket.hello(granted["ticket"]))["type"] == "welcome"
    assert await db(stored) == before


@pytest.mark.parametrize("last_seq", [-1, 1.5, True, "3", 2**53, None])
async def test_an_invalid_last_seq_does_not_use_up_the_ticket(
    server: str, channel: NewChannel, last_seq: object
) -> None:
    granted = await db(ticket, channel)
    async with open_socket(server) as socket:
        await socket.send({"type": "hello", "ticket": granted["ticket"], "last_seq": last_seq})
        assert (await socket.until("error"))["field"] == "last_seq"
        assert not await db(SocketTicket.objects.exclude(used_at=None).exists)
        assert (await socket.hello(granted["ticket"]))["type"] == "welcome"


async def test_a_socket_without_hello_is_closed(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "HELLO_SECONDS", 0.05)
    async with open_socket(server) as socket:
        assert await socket.close_code() == 4401


async def test_a_hello_in_time_waits_for_a_slow_database(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(origin: str) -> bool:
        is_asked.wait(PATIENCE_SECONDS)
        return is_known(origin)

    is_asked, is_known = threading.Event(), origin_checks.is_known
    monkeypatch.setattr(origin_checks, "is_known", slow)
    monkeypatch.setattr(consumer, "HELLO_SECONDS", 0.5)
    granted = await db(ticket, channel)
    async with open_socket(server) as socket:
        await socket.say("hello", ticket=granted["ticket"])
        await asyncio.sleep(0.6)
        monkeypatch.setattr(consumer, "HELLO_SECONDS", PATIENCE_SECONDS)  # a timer that starts now does not fire
        is_asked.set()
        assert (await socket.next())["type"] == "welcome"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://notshop.acme.test",
        "https://shop.acme.test:8443",
        "http://shop.acme.test",
        "https://shop.acme.test.evil.test",
    ],
)
async def test_a_page_of_an_unknown_origin_opens_no_socket(
    server: str, channel: NewChannel, origin: str | None
) -> None:
    async with open_socket(server, origin=origin) as socket:  # closed by the handshake, before any ticket
        assert await socket.close_code() == 4403
    assert [frame["code"] for frame in socket.frames] == ["origin_refused"]


async def test_a_ticket_sent_from_another_origin_is_refused_and_used_up(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    async with open_socket(server, origin=settings.BASE_URL) as thief:  # this installation's own pages are known
        assert (await thief.hello(granted["ticket"]))["code"] == "origin_refused"
        assert await thief.close_code() == 4403
    async with open_socket(server) as owner:
        assert (await owner.hello(granted["ticket"]))["code"] == "ticket_refused"


async def test_a_program_opens_a_socket_with_its_key(server: str, channel: NewChannel, workspace: Workspace) -> None:
    plain = (await db(issue_api_key, workspace, "relay", scopes=["conversations:write"])).plain
    login = {"Authorization": f"Bearer {plain}"}
    response = await db(ask_for_ticket, {"channel": channel.channel.key}, origin=None, **login)
    async with open_socket(server, origin=None, **login) as socket:
        assert (await socket.hello(response.json()["ticket"]))["type"] == "welcome"
    async with open_socket(server, origin=None, Authorization="Bearer sk_wrong_key") as socket:
        assert await socket.close_code() == 4403


@pytest.mark.parametrize("path", ["/", "/ws/v1/chat", "/ws/v1/nothing/", "/ws/v2/chat/"])
async def test_an_unknown_path_closes_with_a_code(server: str, path: str) -> None:
    async with open_socket(server, path=path) as socket:
        assert await socket.close_code() == 4404


async def test_too_many_messages_are_refused_one_by_one(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_rate_limit, "MESSAGES_PER_MINUTE", 2)
    async with greeted(server, await db(ticket, channel)) as socket:
        for number in range(3):
            await socket.say("message", client_id=f"m{number}", text="Hello")
        error = await socket.until("error")
        assert (error["code"], error["client_id"]) == ("too_fast", "m2")
        await socket.say("retry", message=SOME_ID)
        assert (await socket.until("error"))["code"] == "too_fast"
        await socket.quiet()
    assert await db(Message.objects.filter(source="customer").count) == 2


async def test_flooding_closes_the_socket(server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "FRAME_BURST", 5)
    monkeypatch.setattr(consumer, "FRAMES_PER_SECOND", 0)
    async with greeted(server, await db(ticket, channel)) as socket:
        for _ in range(5):
            await socket.say("ping")
        assert await socket.close_code() == 4429


async def test_an_idle_socket_that_answers_the_servers_pings_stays(channel: NewChannel) -> None:
    """The server sends its next ping only once the last one was answered."""
    with served(ws_ping_interval=0.1, ws_ping_timeout=PATIENCE_SECONDS) as running:
        granted = await db(ticket, channel)
        async with greeted(running.address, granted) as socket:
            await socket.pings(4)
            assert await socket.quiet() == []
        await asyncio.to_thread(running.wait_until_idle)


async def test_a_socket_that_does_not_answer_the_servers_pings_is_closed(channel: NewChannel) -> None:
    with served(ws_ping_interval=0.1, ws_ping_timeout=0.1) as running:
        async with open_socket(running.address) as socket:
            socket.ignore_pings()
            assert await socket.close_code() == 1011
        await asyncio.to_thread(running.wait_until_idle)


async def test_an_idle_socket_is_closed(server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    check_sockets(monkeypatch, every_seconds=0.05)
    async with greeted(server, await db(ticket, channel)) as socket:
        monkeypatch.setattr(connection_registry, "IDLE_SECONDS", 0.3)
        assert await socket.close_code() == 4408


async def test_the_head_is_sent_periodically(server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    check_sockets(monkeypatch, every_seconds=0.05)
    async with greeted(server, await db(ticket, channel)) as socket:
        assert (await socket.until("head"))["seq"] == 1
