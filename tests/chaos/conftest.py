"""The system under test: the product, process by process."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.system import System
from tests.embedded.instance import open_to_postgres
from tests.flows.stack import built
from tests.ports import reserved_port


@pytest.fixture
def seed() -> int:
    """CHAOS_SEED, or a new one; every failure message names it."""
    return int(os.environ.get("CHAOS_SEED", random.SystemRandom().randint(1, 999_999)))


@pytest.fixture
def model_port() -> int:
    return reserved_port()


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path, model_port: int) -> Iterator[System]:
    model = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "scripted",
    }  # fmt: skip
    with built(open_to_postgres(tmp_path_factory.mktemp("chaos")), migrated_schema) as stack:
        system = System(stack, stack.child("web", **model), stack.child("worker"), stack.child("beat"), stack.shop())
        try:
            system.start()
            yield system
        finally:
            system.stop()
