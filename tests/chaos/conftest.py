"""The town that the storm goes over: the product, process by process."""

import os
import random
from collections.abc import Iterator

import pytest

from supportbot.embedded.ports import free_port
from tests.chaos.town import Town
from tests.embedded.instance import open_to_postgres
from tests.flows.house import built


@pytest.fixture
def seed() -> int:
    """CHAOS_SEED, or a new one; every message of a failure names it."""
    return int(os.environ.get("CHAOS_SEED", random.SystemRandom().randint(1, 999_999)))


@pytest.fixture
def model_port() -> int:
    return free_port()


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory, model_port: int) -> Iterator[Town]:
    model = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "scripted",
    }  # fmt: skip
    with built(open_to_postgres(tmp_path_factory.mktemp("chaos"))) as house:
        town = Town(house, house.child("web", **model), house.child("worker"), house.child("beat"), house.shop())
        try:
            town.start()
            yield town
        finally:
            town.stop()
