"""Rows of a workspace cannot be read or created outside it."""

import pytest
from django.db import IntegrityError, connection, transaction

from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.models import Channel, Customer, IdentityKey, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.workspaces import create_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_workspaces() -> tuple[Workspace, Workspace]:
    first, second = create_workspace("First"), create_workspace("Second")
    for workspace in (first, second):
        with workspace_scope(workspace.pk):
            Customer.objects.create(external_id="same-id", name=workspace.name)
    return first, second


def test_a_query_without_a_scope_is_refused(two_workspaces: tuple[Workspace, Workspace]) -> None:
    with pytest.raises(UnscopedQuery):
        Customer.objects.count()


def test_creating_a_row_without_a_scope_is_refused() -> None:
    with pytest.raises(UnscopedQuery):
        Customer(external_id="x")


def test_a_scope_sees_only_its_own_rows(two_workspaces: tuple[Workspace, Workspace]) -> None:
    first, _ = two_workspaces
    with workspace_scope(first.pk):
        assert [customer.name for customer in Customer.objects.all()] == ["First"]
        assert Customer.objects.filter(name="Second").count() == 0


def test_scopes_nest_and_the_outer_one_returns(two_workspaces: tuple[Workspace, Workspace]) -> None:
    first, second = two_workspaces
    with workspace_scope(first.pk):
        with workspace_scope(second.pk):
            assert Customer.objects.get().name == "Second"
        assert Customer.objects.get().name == "First"


def test_a_query_sees_what_has_changed_since_the_last_one(two_workspaces: tuple[Workspace, Workspace]) -> None:
    first, second = two_workspaces
    for workspace in (first, second, first):
        with workspace_scope(workspace.pk):
            known = len(Customer.objects.all())
            Customer.objects.filter(name="none").delete()
            Customer.objects.create(name="Later")
            assert len(Customer.objects.all()) == known + 1
            channel = Channel.objects.create(key=f"pk_{known}_{workspace.slug}", name="Shop")
            IdentityKey.objects.create(channel=channel, kid="1", algorithm="HS256", secret="x" * 32)
            assert [key.channel_id for key in channel.identity_keys.all()] == [channel.pk]
            assert Customer.objects.using("default").count() == known + 1
    with workspace_scope(first.pk):
        assert (Customer.objects.count(), IdentityKey.objects.count()) == (3, 2)


def test_crossing_workspaces_sees_all_rows_but_creates_none(two_workspaces: tuple[Workspace, Workspace]) -> None:
    with across_workspaces("test"):
        assert Customer.objects.count() == 2
        with pytest.raises(UnscopedQuery):
            Customer(external_id="x")


def test_the_database_refuses_a_child_in_another_workspace(two_workspaces: tuple[Workspace, Workspace]) -> None:
    first, second = two_workspaces
    with workspace_scope(first.pk):
        channel = Channel.objects.create(key="pk_test", name="Shop")
    with pytest.raises(IntegrityError), transaction.atomic():
        IdentityKey.objects.db_manager().model(
            workspace=second, channel=channel, kid="1", algorithm="HS256", secret="x" * 32
        ).save()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
