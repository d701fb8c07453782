"""Counting in a real Valkey, which every process shares."""

import socket
import time
from typing import Any

import pytest
import redis
from django.core.cache import cache, caches
from django.http import HttpRequest
from pytest_django.fixtures import Settings
from redis.connection import Connection
from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.async_db import db
from supportbot.embedded.child_processes import wait_until
from supportbot.rate_counters import FailOpenThrottle, count
from supportbot.server_urls import cache_at
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def valkey_cache(settings: Settings, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot.server_urls.CACHE_SECONDS", PATIENCE_SECONDS)  # a count may be late here
    settings.CACHES = {"default": cache_at(f"{valkey_url}/2")}
    cache.clear()


def test_each_key_has_its_own_count(valkey_cache: None) -> None:
    assert [count("a", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert count("b", seconds=60) == 1


def test_a_window_ends_automatically(valkey_cache: None, valkey_url: str) -> None:
    server, name = redis.Redis.from_url(f"{valkey_url}/2"), cache.make_key("a")
    assert count("a", seconds=1) == 1
    assert wait_until(lambda: not server.exists(name), seconds=PATIENCE_SECONDS)
    assert count("a", seconds=1) == 1


def test_a_window_does_not_outlast_a_clock_that_was_set_back(valkey_cache: None, valkey_url: str) -> None:
    server, name = redis.Redis.from_url(f"{valkey_url}/2"), cache.make_key("a")
    assert count("a", seconds=60) == 1
    server.expire(name, 3_660)  # as it looks to a server whose clock was set back by an hour
    assert count("a", seconds=60) == 2
    assert server.ttl(name) <= 60
    server.expire(name, 5)
    assert count("a", seconds=60) == 3
    assert server.ttl(name) <= 5, "a window is not extended"


def test_one_client_sends_all_commands(valkey_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    count("a", seconds=60)
    monkeypatch.setattr(redis.Redis, "__init__", lambda *_, **__: pytest.fail("another client was created"))
    assert [count("a", seconds=60), count("b", seconds=60)] == [2, 1]
    caches["default"].set("c", 1)
    assert caches["default"].get("c") == 1


class Twice(FailOpenThrottle):
    rate = "2/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return "twice"


def test_a_throttle_starts_again_after_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    moment = time.time()

    def allowed() -> bool:
        return Twice().allow_request(Request(HttpRequest()), APIView())

    monkeypatch.setattr(Twice, "timer", lambda self: moment)
    assert [allowed() for _ in range(3)] == [True, True, False]
    monkeypatch.setattr(Twice, "timer", lambda self: moment - 3_600)
    assert [allowed() for _ in range(3)] == [True, True, False]


async def test_calls_to_the_database_share_the_connection(valkey_cache: None, valkey_url: str) -> None:
    """Each has its own context, and therefore its own Django cache object."""
    server = redis.Redis.from_url(f"{valkey_url}/2")
    assert await db(count, "a", seconds=60) == 1
    before = server.info("stats")["total_connections_received"]
    assert [await db(count, "a", seconds=60) for _ in range(3)] == [2, 3, 4]
    assert server.info("stats")["total_connections_received"] == before


def test_counting_takes_one_round_trip(valkey_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = list[object]()
    send = Connection.send_packed_command
    monkeypatch.setattr(
        Connection,
        "send_packed_command",
        lambda self, *args, **kwargs: (trips.append(args), send(self, *args, **kwargs)),
    )
    count("a", seconds=60)  # the first call may have to connect
    trips.clear()
    assert count("a", seconds=60) == 2
    assert len(trips) == 1


def test_without_a_server_each_process_counts_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    assert [count("a", seconds=60) for _ in range(3)] == [1, 2, 3]
    monkeypatch.setattr(type(caches["default"]), "add", lambda *_, **__: False)  # counted, and expired since
    assert count("b", seconds=60) == 1


def test_nothing_is_counted_without_the_cache(cache_away: None) -> None:
    assert [count("a", seconds=60) for _ in range(3)] == [0, 0, 0]


def test_an_unresponsive_cache_causes_no_wait(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings.CACHES = {"default": cache_at(f"redis://127.0.0.1:{mute.getsockname()[1]}/2")}
        started = time.monotonic()
        assert count("a", seconds=60) == 0
        assert time.monotonic() - started < PATIENCE_SECONDS
