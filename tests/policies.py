"""The policies of a workspace and the rights on them as rows: services take many times as many statements."""

from dataclasses import asdict

from django.contrib.auth.models import Permission
from django.db import transaction

from actions.models import APPROVE, ActionPolicy, ActionPolicyUserPermission, ActionPolicyVersion
from actions.registry import code_actions
from supportbot.accounts.models import User, Workspace


def store_policies(workspace: Workspace) -> list[ActionPolicy]:
    """Store what `ensure_policies` creates in a new workspace, except the audit trail; return the policies."""
    policies, versions = [], []
    for action in code_actions().values():
        policy = ActionPolicy(workspace=workspace, action=action.name)
        rules = {"currency": workspace.currency, **asdict(action.limits)}
        version = ActionPolicyVersion(workspace=workspace, policy=policy, number=1, created_by="system", **rules)
        policy.current = version
        policies.append(policy)
        versions.append(version)
    with transaction.atomic():  # each row refers to the other
        ActionPolicy.objects.bulk_create(policies)
        ActionPolicyVersion.objects.bulk_create(versions)
    return policies


def store_approver(person: User, policies: list[ActionPolicy]) -> None:
    """Let a person approve requests under these policies."""
    right = Permission.objects.get(codename=APPROVE)
    ActionPolicyUserPermission.objects.bulk_create(
        ActionPolicyUserPermission(content_object=policy, user=person, permission=right) for policy in policies
    )
