from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import reserved_port
from tests.shop.process import ShopProcess


@pytest.fixture(scope="session")
def any_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopProcess]:
    """A shop without faults, whatever its data, for reading and for calls that must change nothing."""
    shop = ShopProcess(tmp_path_factory.mktemp("shop") / "data", reserved_port())
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def shop(any_shop: ShopProcess) -> Iterator[ShopProcess]:
    """A freshly seeded shop."""
    if not any_shop.is_as_seeded:  # seeding takes longer than most tests
        assert any_shop.post("/api/reset", {}).status == 200
        any_shop.is_as_seeded = True
    yield any_shop
    if not any_shop.is_as_seeded:
        assert any_shop.post("/api/faults", {}).status == 200


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[ShopProcess]:
    """A shop that a test may stop, kill and restart."""
    shop = ShopProcess(tmp_path / "data", reserved_port())
    shop.start()
    yield shop
    if shop.process is not None:
        shop.stop()
