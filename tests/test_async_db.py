"""Database threads keep their connections, and recover when the server has closed them."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.utils.translation import gettext, override

from supportbot import async_db, sql
from supportbot.async_db import db

pytestmark = pytest.mark.django_db(transaction=True)
WHO: ContextVar[str] = ContextVar("who", default="nobody")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One database thread, whose connection Django would close after each request, as with the pool."""
    with ThreadPoolExecutor(1) as executor:
        monkeypatch.setitem(settings.DATABASES["default"], "CONN_MAX_AGE", 0)
        monkeypatch.setattr(async_db, "_executor", executor)
        yield
        executor.submit(connections.close_all).result()


def backend() -> int:
    """The server's process behind this thread's connection."""
    return int(sql.fetch("SELECT pg_backend_pid()", [])[0][0])


def close_from_the_server(*backends: int) -> None:
    """Let the server close it, and wait until it has, since the signal alone proves nothing."""
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(one, 10000) FROM unnest(%s) one", [list(backends)])


async def test_a_thread_keeps_its_connection() -> None:
    assert len({await db(backend) for _ in range(5)}) == 1


async def test_a_connection_closed_by_the_server_fails_no_call() -> None:
    before = await db(backend)
    await asyncio.to_thread(close_from_the_server, before)
    assert await db(backend) != before


async def test_a_connection_that_dies_in_a_call_is_not_used_again() -> None:
    def die() -> None:
        close_from_the_server(backend())
        backend()

    with pytest.raises(OperationalError):
        await db(die)
    assert await db(backend)


async def test_a_connection_is_returned_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_db, "HOLD_SECONDS", 0.0)
    before = await db(backend)
    assert await db(backend) != before


async def test_the_scope_is_passed_along() -> None:
    WHO.set("alice")
    assert await db(WHO.get) == "alice"


async def test_an_interrupted_transaction_is_not_left_open() -> None:
    """As when a thread is stopped before `atomic` can end it: its locks would be held as long as the thread lives."""

    def begin() -> int:
        connection.set_autocommit(False)
        return backend()

    before = await db(begin)
    assert await db(backend) != before


async def test_the_language_is_passed_along_and_does_not_stay() -> None:
    with override("de"):
        assert await db(gettext, "Asked for a person") == "Wollte mit einer Person sprechen"
    assert await db(gettext, "Asked for a person") == "Asked for a person"
