"""Alice's request, created once for all tests of a module, and the rows it needs.

The module defines the fixture `begun_once` and imports the fixtures below, which replace those of the conftest files.
Rules that are changed for the request, such as `max_per_customer_year=None` in `ask_for_approval`, are changed for the
whole module.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_django.plugin import DjangoDbBlocker

from actions.models import ActionPolicy, ActionRequest
from actions.principals import Principal
from actions.testing import connected
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import create_workspace
from tests.actions.conftest import alices_shop, signed_in_as
from tests.module_rows import rows_of_module
from tests.policies import store_policies


@contextmanager
def begun(blocker: DjangoDbBlocker, begin: Callable[[Principal], ActionRequest]) -> Iterator[ActionRequest]:
    """Return the request that `begin` makes as Alice in the workspace Wrenfell, until the end of the block."""
    with rows_of_module(blocker):
        workspace = create_workspace("Wrenfell Outdoor", slug="wrenfell")
        with workspace_scope(workspace.pk), connected(alices_shop()):
            store_policies(workspace)
            alice = Customer.objects.create(
                external_id="cus_alice", name="Alice", email="alice@example.com", locale="en"
            )
            request = begin(signed_in_as(alice))
        yield request


@pytest.fixture
def workspace(db: None, begun_once: ActionRequest) -> Iterator[Workspace]:
    with workspace_scope(begun_once.workspace_pk):
        yield Workspace.objects.get(pk=begun_once.workspace_pk)


@pytest.fixture
def policies(workspace: Workspace) -> list[ActionPolicy]:
    return list(ActionPolicy.objects.all())


@pytest.fixture
def alice(workspace: Workspace) -> Customer:
    found: Customer = Customer.objects.get(external_id="cus_alice")
    return found
