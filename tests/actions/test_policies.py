"""Tests start with policies and rights stored as rows, which must be those that services would store."""

from typing import Any

import pytest

from actions.approvers import allow_approval
from actions.models import ActionPolicy, ActionPolicyUserPermission, ActionPolicyVersion
from actions.policy_store import ensure_policies, policy_of
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from tests.policies import store_approver, store_policies

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


def test_a_stored_right_is_the_one_that_is_given(workspace: Workspace, bob: User) -> None:
    store_approver(bob, store_policies(workspace))
    stored = list(ActionPolicyUserPermission.objects.order_by("content_object").values("content_object", "permission"))
    ActionPolicyUserPermission.objects.all().delete()
    for name in ActionPolicy.objects.values_list("action", flat=True):
        policy = policy_of(name)
        assert policy is not None
        allow_approval(policy, bob, actor="test")
    given = ActionPolicyUserPermission.objects.filter(user=bob).order_by("content_object")
    assert stored and stored == list(given.values("content_object", "permission"))
