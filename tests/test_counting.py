"""Counting in a real Valkey, which every process shares."""

import socket
import time

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from supportbot.addresses import CACHE_SECONDS, cache_at
from supportbot.counting import count


@pytest.fixture
def valkey_cache(settings: Settings, valkey_url: str) -> None:
    settings.CACHES = {"default": cache_at(f"{valkey_url}/2")}
    cache.clear()


def test_each_key_counts_for_itself(valkey_cache: None) -> None:
    assert [count("a", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert count("b", seconds=60) == 1


def test_a_window_that_ends_while_counting_starts_over(valkey_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(cache._connections["default"]), "add", lambda *_, **__: False)  # seen, and gone since
    assert count("a", seconds=60) == 1


def test_nobody_counts_while_the_cache_is_away(cache_away: None) -> None:
    assert [count("a", seconds=60) for _ in range(3)] == [0, 0, 0]


def test_nobody_waits_for_a_cache_that_answers_nothing(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings.CACHES = {"default": cache_at(f"redis://127.0.0.1:{mute.getsockname()[1]}/2")}
        started = time.monotonic()
        assert count("a", seconds=60) == 0
        assert time.monotonic() - started < CACHE_SECONDS + 10
