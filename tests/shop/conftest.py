from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop.process import ShopProcess, free_port


@pytest.fixture(scope="session")
def running_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopProcess]:
    shop = ShopProcess(tmp_path_factory.mktemp("shop") / "data", free_port())
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def shop(running_shop: ShopProcess) -> ShopProcess:
    """The shop as it was seeded, faults off."""
    assert running_shop.post("/api/reset", {}).status == 200
    return running_shop


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[ShopProcess]:
    """A shop that a test may stop, kill and start again."""
    shop = ShopProcess(tmp_path / "data", free_port())
    shop.start()
    yield shop
    if shop.process is not None:
        shop.stop()
