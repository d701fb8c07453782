"""A database connection that breaks under a socket, a reader or the periodic check costs a moment, and nothing else."""

import asyncio
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from django.db import InterfaceError
from django.test import Client

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.rest import cors
from supportbot.async_db import db
from supportbot.chat.signal_broker import publish
from supportbot.chat.signals import NewEvent
from supportbot.widget import api as widget_api
from supportbot.widget.session import origin_checks
from supportbot.widget.socket import connection_registry, feed, handlers
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import PAGE_ORIGIN, ask_for_ticket, greeted, open_socket, ticket
from tests.widget.serving import check_sockets

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_database_connection_lost_during_a_message_keeps_the_socket(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(handlers, "send_message", broken_connection)
            await socket.say("message", client_id="m1", text="Hello")
            error = await socket.until("error")
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("ack")
    assert (error["code"], error["client_id"]) == ("unavailable", "m1")


async def test_a_database_connection_lost_during_the_handshake_closes_with_a_code(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origin_checks, "is_known", broken_connection)
    async with open_socket(server) as socket:
        assert (await socket.next())["code"] == "unavailable"
        assert await socket.close_code() == 1013


@pytest.mark.parametrize(
    ("module", "path", "body"),
    [
        (widget_api, "/api/v1/widget/tickets", {"channel": "ch_unknown"}),
        (cors, "/api/v1/conversations", {}),
    ],
)
def test_a_database_connection_lost_while_checking_origins_hides_the_response_from_pages(
    module: ModuleType, path: str, body: Any, channel: NewChannel, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    def ask() -> Any:
        return client.post(path, body, content_type="application/json", headers={"Origin": PAGE_ORIGIN})

    known = ask()
    monkeypatch.setattr(module, "is_known", broken_connection)
    answer = ask()
    assert (answer.status_code, answer.json()) == (known.status_code, known.json())
    assert "Access-Control-Allow-Origin" in known.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_database_connection_lost_while_auditing_keeps_the_refusal(
    channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widget_api, "record_denied_access", broken_connection)
    answer = ask_for_ticket({"channel": channel.channel.key}, origin="https://evil.test")
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_a_database_connection_lost_while_reading_recovers(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with greeted(server, await db(ticket, channel)) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(feed, "events_after", broken_connection)
            publish(UUID(socket.frames[0]["conversation"]), NewEvent(2, None))
            assert await socket.quiet() == []
        await socket.say("message", client_id="m1", text="Hello")
        await socket.until("message")


async def test_a_database_connection_lost_during_a_check_does_not_end_the_checks(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_sockets(monkeypatch, every_seconds=0.02)
    asked = list[int]()

    def standing(places: Any) -> Any:
        asked.append(len(places))
        if len(asked) == 1:
            raise InterfaceError("the connection is closed")
        return check_access(places)

    check_access = connection_registry.check_access
    monkeypatch.setattr(connection_registry, "check_access", standing)
    async with greeted(server, await db(ticket, channel)) as socket:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(asked) < 3:  # noqa: ASYNC110  # a check sends no signal
                await asyncio.sleep(0.01)
        await socket.say("ping")
        await socket.until("head")


def broken_connection(*args: object, **kwargs: object) -> None:
    raise InterfaceError("the connection is closed")
