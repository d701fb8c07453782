"""A real server, an external agent with the official SDK's client, and a shop that records its calls."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from actions.testing import FakeShop, connected
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import Customer, Workspace
from tests.mcp.agent import ForeignAgent
from tests.policies import store_policies
from tests.widget.conftest import running as running
from tests.widget.conftest import server as server


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    """Reset the rate limits, which count across tests because these share one process and one address."""
    cache.clear()


@pytest.fixture
def channel(server: str, workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Shop", allowed_origins=["https://shop.acme.test"])


@pytest.fixture
def agent(server: str, workspace: Workspace) -> ForeignAgent:
    """A travel agency's program with a key that may act for customers."""
    key = issue_api_key(workspace, "Travel agency", scopes=["mcp:use", "mcp:customers"])
    return ForeignAgent(server, key.plain)


@pytest.fixture
def shop(server: str, workspace: Workspace, alice: Customer) -> Iterator[FakeShop]:
    """Alice's orders and one of a stranger; every action is enabled."""
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1001", "cus_alice", total="49.90")
        fake.add_order("A-1002", "cus_alice", total="640.00", delivered_days_ago=10)
        fake.add_order("B-2002", "cus_stranger", total="75.00", delivered_days_ago=2)
        yield fake
