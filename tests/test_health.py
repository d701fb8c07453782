"""Liveness, readiness and who may see their details."""

import asyncio
import time
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from kb.errors import EmbeddingUnavailable
from kb.models import Recipe
from kb.ports import RecipeSpec
from supportbot import health
from supportbot.ids import uuid7
from supportbot.outbox.models import Announcement
from supportbot.outbox.tasks import HEARTBEAT_KEY, heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def a_worker_lives() -> None:
    heartbeat()


def test_alive_touches_no_database(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").content == b"ok\n"


def test_ready_says_what_was_checked(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert set(answer.json()["checks"].values()) == {"ok"}


def test_a_silent_worker_is_not_ready(client: Client) -> None:
    cache.set(HEARTBEAT_KEY, time.time() - 60)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"] == "no heartbeat"


def test_vectors_of_another_model_are_not_ready(client: Client) -> None:
    Recipe.objects.create(name="another-model", model="x", dimensions=3, is_active=True)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "kb_reindex" in answer.json()["checks"]["recipe"]


class Unreachable:
    """An embedder whose model server is away; what it cannot say is the size of its vectors."""

    @property
    def recipe(self) -> RecipeSpec:
        raise EmbeddingUnavailable


def test_a_model_that_is_away_is_an_answer_and_no_fault_of_ours(client: Client, settings: Settings) -> None:
    Recipe.objects.create(name="any", model="x", dimensions=3, is_active=True)
    settings.KB_EMBEDDER = f"{__name__}.Unreachable"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["recipe"]) == (503, "EmbeddingUnavailable")


@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), None])
def test_a_layer_that_refuses_or_answers_nothing_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    async def send(self: InMemoryChannelLayer, *message: Any) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    monkeypatch.setattr(InMemoryChannelLayer, "send", send)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["layer"]) == (503, type(error or TimeoutError()).__name__)


def test_parked_announcements_are_counted_and_take_nothing_out_of_service(client: Client) -> None:
    assert client.get("/readyz").json()["parked_announcements"] == 0
    Announcement.objects.create(topic="action_changed", object_id=uuid7(), workspace_id=uuid7(), parked_at=now())
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["parked_announcements"]) == (200, 1)
    assert "parked_announcements" not in client.get("/readyz", headers={"Via": "1.1 proxy"}).json()


@pytest.mark.parametrize(
    ("setting", "headers"),
    [
        ({"PUBLIC_URL": "https://support.example"}, {}),
        ({"HOST": "0.0.0.0"}, {}),
        ({}, {"X-Forwarded-For": "203.0.113.9"}),
        ({}, {"Forwarded": "for=203.0.113.9"}),
        ({}, {"X-Real-IP": "203.0.113.9"}),
        ({}, {"Via": "1.1 proxy"}),
        ({}, {"CF-Connecting-IP": "203.0.113.9"}),
        ({}, {"True-Client-IP": "203.0.113.9"}),
        ({"METRICS_TOKEN": "secret", "HOST": "0.0.0.0"}, {"Authorization": "Bearer s\u00e9cret"}),
        ({"METRICS_TOKEN": "secret", "PUBLIC_URL": "https://support.example"}, {"Authorization": "Bearer wrong"}),
    ],
)
def test_strangers_see_no_details(
    client: Client, settings: Settings, setting: dict[str, str], headers: dict[str, str]
) -> None:
    for name, value in setting.items():
        setattr(settings, name, value)
    assert "checks" not in client.get("/readyz", headers=headers).json()
    assert client.get("/metrics", headers=headers).status_code == 403


def test_the_token_opens_details_and_metrics(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN, settings.PUBLIC_URL = "secret", "https://support.example"
    headers = {"Authorization": "Bearer secret"}
    assert "checks" in client.get("/readyz", headers=headers).json()
    assert b"python_info" in client.get("/metrics", headers=headers).content
