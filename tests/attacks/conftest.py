"""Fixtures of all attacks: a world with secrets, a shop that records refunds, and captured logs."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django.fixtures import Settings

from actions.testing import FakeShop, connected
from kb import ports
from supportbot.async_db import db
from tests.attacks.corpus import Row
from tests.attacks.scenario import Scenario
from tests.attacks.world import conversation_of, place


@pytest.fixture(autouse=True)
def _quiet_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Vectors without a model, no broker, and counters at zero."""
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    cache.clear()
    monkeypatch.setattr("actions.requests.celery_publisher.publish", lambda workspace_id, request_id: None)
    yield
    ports._load.cache_clear()


@pytest.fixture
def shop() -> Iterator[FakeShop]:
    with connected(FakeShop()) as fake:
        yield fake


@pytest.fixture
def new_scenario(transactional_db: None, shop: FakeShop) -> Callable[..., Any]:
    """Return a coroutine that sets up the scenario of a row."""

    async def make(row: Row, *, is_anonymous: bool = False) -> Scenario:
        def build() -> Scenario:
            world = place(row.world, shop)
            return Scenario(world, conversation_of(world, is_anonymous=is_anonymous), is_anonymous)

        return await db(build)

    return make


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that anything tried to reach, except this machine's own."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            tried.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    return tried
