"""Tests start with policies stored as rows, which must be those that a workspace gets."""

from typing import Any

import pytest

from actions.models import ActionPolicy, ActionPolicyVersion
from actions.policy_store import ensure_policies
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from tests.policies import store_policies

pytestmark = pytest.mark.django_db


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Return each policy and its version in force, without what differs between any two workspaces."""
    with workspace_scope(workspace.pk):
        found = [
            row
            for policy in ActionPolicy.objects.order_by("action").values()
            for row in (policy, *ActionPolicyVersion.objects.filter(pk=policy["current_id"]).values())
        ]
        assert len(found) == ActionPolicy.objects.count() + ActionPolicyVersion.objects.count()
    own = {"id", "workspace_id", "current_id", "policy_id", "created_at"}
    return [{name: value for name, value in row.items() if name not in own} for row in found]


def test_stored_policies_are_those_that_a_workspace_gets(workspace: Workspace, other_workspace: Workspace) -> None:
    assert store_policies(workspace)
    with workspace_scope(other_workspace.pk):
        assert ensure_policies()
        assert ensure_policies() == []
    assert rows(workspace) == rows(other_workspace)
