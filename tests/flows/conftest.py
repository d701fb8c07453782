"""One house for all flows; web processes with the built-in answerer, and with a model that does what a test says.

Web processes end with their module: any that runs may take any turn.
"""

from collections.abc import AsyncIterator, Iterator
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import redis

from supportbot.embedded.children import wait_for_page
from supportbot.embedded.ports import free_port
from tests.embedded.instance import open_to_postgres
from tests.flows.house import STOREFRONT, House, Web, built, web
from tests.flows.people import Visitor
from tests.modelserver import ModelServer

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with built(open_to_postgres(tmp_path_factory.mktemp("house"))) as made:
        yield made


@pytest.fixture(scope="module")
def shop_and_worker(house: House) -> Iterator[None]:
    """The demo shop as it was seeded, and what carries actions to it."""
    shop, worker = house.shop(), house.child("worker")
    shop.start()
    worker.start()
    try:
        wait_for_page(f"{STOREFRONT}/api/customers", shop)
        build_opener(ProxyHandler({})).open(Request(f"{STOREFRONT}/api/reset", b"{}", JSON), timeout=10).close()
        yield
    finally:
        worker.stop()
        shop.stop()


@pytest.fixture(scope="session")
def model_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def model_settings(model_port: int) -> dict[str, str]:
    """What plugs a web process into the scripted model."""
    address = f"http://127.0.0.1:{model_port}/v1"
    return {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none", "OPENAI_MODEL": "scripted"}


@pytest.fixture(scope="module")
def builtin_web(house: House) -> Iterator[Web]:
    with web(house) as made:
        yield made


@pytest.fixture(scope="module")
def model_web(house: House, model_settings: dict[str, str]) -> Iterator[Web]:
    with web(house, **model_settings) as made:
        yield made


@pytest.fixture
async def model(model_port: int) -> AsyncIterator[ModelServer]:
    """The model of `model_web`; a test that leaves a part of its script unasked fails."""
    async with ModelServer(port=model_port) as server:
        yield server
        assert server.left_over == 0


@pytest.fixture(autouse=True)
def _no_counts(house: House) -> None:
    """Throttles count by address, and all visitors here share one."""
    with redis.Redis.from_url(f"{house.valkey.url()}/2") as cache:
        cache.flushdb()


@pytest.fixture
def visitor(house: House, builtin_web: Web) -> Visitor:
    return Visitor(house, builtin_web.address)


@pytest.fixture
def models_visitor(house: House, model_web: Web) -> Visitor:
    return Visitor(house, model_web.address)
