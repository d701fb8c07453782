"""A client that does not read uses little memory, is disconnected with a code, and affects nobody else."""

import asyncio
import secrets
from uuid import UUID

import pytest

from supportbot.accounts.channels import NewChannel
from supportbot.async_db import db
from supportbot.chat.signal_broker import publish
from supportbot.chat.signals import Delta
from supportbot.widget.socket import connection_registry, send_queue
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import greeted, ticket
from tests.widget.serving import Served, check_sockets

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = "0197f000-0000-7000-8000-000000000000"


def flood(conversation: str) -> None:
    """Send more than the kernel's buffers and the send queue hold, in text that cannot be compressed."""
    for index in range(2_000):
        publish(UUID(conversation), Delta(MESSAGE, 1, index, secrets.token_hex(8_000), index * 16_000))


async def test_a_slow_reader_is_disconnected_and_others_are_not(
    server: str, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_registry, "STUCK_SECONDS", PATIENCE_SECONDS)  # its queue is full long before that
    first = await db(ticket, channel)
    second = await db(ticket, channel)
    async with greeted(server, first) as slow, greeted(server, second) as other:
        slow.connection.transport.pause_reading()  # type: ignore[attr-defined]  # the peer's TCP window fills up
        flood(first["conversation"])
        await other.say("message", client_id="m1", text="Am I held up?")
        await other.until("ack")
        slow.connection.transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 4429


async def test_a_reader_that_never_reads_again_is_disconnected(
    server: str, running: Served, channel: NewChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_queue, "MAX_ITEMS", 100_000)  # the writer must be stuck, not the queue full
    monkeypatch.setattr(send_queue, "MAX_BYTES", 1_000_000_000)
    check_sockets(monkeypatch, every_seconds=0.05)
    granted = await db(ticket, channel)
    async with greeted(server, granted) as slow:
        monkeypatch.setattr(connection_registry, "STUCK_SECONDS", 0.3)
        slow.connection.transport.pause_reading()  # type: ignore[attr-defined]
        flood(granted["conversation"])
        await asyncio.to_thread(running.wait_until_idle)  # its task has ended, although nothing was read
        slow.connection.transport.abort()  # type: ignore[attr-defined]
