"""One stack for all flows, which run in one worker (`tests/plugin.py`).

Flows that share a web process are in one folder: it is stopped at the folder's end, since any running process may take
any turn.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import redis

from supportbot.embedded.product_processes import wait_for_page
from tests.embedded.instance import open_to_postgres
from tests.flows.stack import STOREFRONT, Stack, built
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path) -> Iterator[Stack]:
    with built(open_to_postgres(tmp_path_factory.mktemp("stack")), migrated_schema) as made:
        yield made


@pytest.fixture(scope="module")
def shop_and_worker(stack: Stack) -> Iterator[None]:
    """The seeded demo shop, and the worker that carries out actions there."""
    shop, worker = stack.shop(), stack.child("worker")
    shop.start()
    worker.start()
    try:
        wait_for_page(f"{STOREFRONT}/api/customers", shop)
        build_opener(ProxyHandler({})).open(
            Request(f"{STOREFRONT}/api/reset", b"{}", JSON), timeout=PATIENCE_SECONDS
        ).close()
        yield
    finally:
        worker.stop()
        shop.stop()


@pytest.fixture(scope="session")
def model_port() -> int:
    return reserved_port()


@pytest.fixture(scope="session")
def model_settings(model_port: int) -> dict[str, str]:
    """The settings that connect a web process to the scripted model, for which it waits as long as a test does."""
    address, patient = f"http://127.0.0.1:{model_port}/v1", "tests.flows.patient_settings"
    model = {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none", "OPENAI_MODEL": "scripted"}
    return {**model, "DJANGO_SETTINGS_MODULE": patient}


@pytest.fixture
async def model(model_port: int) -> AsyncIterator[ModelServer]:
    """The model of the web processes with `model_settings`; a test fails if it leaves part of the script unused."""
    async with ModelServer(port=model_port) as server:
        yield server
        assert server.left_over == 0


@pytest.fixture(autouse=True)
def _no_counts(stack: Stack) -> None:
    """Throttles count by address, which all visitors share here."""
    with redis.Redis.from_url(f"{stack.valkey.url()}/2") as cache:
        cache.flushdb()
