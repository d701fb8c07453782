"""A real server, and a channel whose pages may use it."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import Workspace
from tests.widget.page import PAGE_ORIGIN
from tests.widget.serving import Served, served


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    """Reset the throttles, which count across tests because these share one process and one address."""
    cache.clear()


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Shop", allowed_origins=[PAGE_ORIGIN], greeting="Hello from the shop")


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """One server for a module's tests."""
    with served() as server:
        yield server


@pytest.fixture
def server(running: Served, transactional_db: None) -> Iterator[str]:
    """The address of the application."""
    yield running.address
    running.wait_until_idle()
