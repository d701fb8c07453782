"""Counting in a real Valkey, which every process shares."""

import socket
import time

import pytest
from django.core.cache import cache, caches
from pytest_django.fixtures import Settings
from redis.connection import Connection

from supportbot.addresses import CACHE_SECONDS, cache_at
from supportbot.counting import count


@pytest.fixture
def valkey_cache(settings: Settings, valkey_url: str) -> None:
    settings.CACHES = {"default": cache_at(f"{valkey_url}/2")}
    cache.clear()


def test_each_key_has_its_own_count(valkey_cache: None) -> None:
    assert [count("a", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert count("b", seconds=60) == 1


def test_a_window_ends_automatically(valkey_cache: None) -> None:
    assert [count("a", seconds=1) for _ in range(2)] == [1, 2]
    time.sleep(1.2)
    assert count("a", seconds=1) == 1


def test_counting_takes_one_round_trip(valkey_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = list[object]()
    send = Connection.send_packed_command
    monkeypatch.setattr(
        Connection,
        "send_packed_command",
        lambda self, *args, **kwargs: (trips.append(args), send(self, *args, **kwargs)),
    )
    count("a", seconds=60)  # it may have to connect
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
        assert time.monotonic() - started < CACHE_SECONDS + 10
