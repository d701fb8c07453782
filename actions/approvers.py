"""The right to approve requests under a policy: granting it, revoking it, and looking it up."""

from django.db import transaction
from django.db.models import Q

from actions import audit
from actions.audit import actor_of
from actions.models import APPROVE, ActionPolicy, ActionPolicyGroupPermission, ActionPolicyUserPermission
from supportbot.accounts.models import Membership, User


def may_approve(person: User, policy: ActionPolicy) -> bool:
    """Return whether a person is a member of the policy's workspace and has the right to approve under this policy,
    directly or through a group. This does not call `has_perm`, which is true for every superuser.
    """
    if not person.is_active or not Membership.objects.filter(user=person, workspace_id=policy.workspace_pk).exists():
        return False
    right = Q(content_object=policy, permission__codename=APPROVE)
    return (
        ActionPolicyUserPermission.objects.filter(right, user=person).exists()
        or ActionPolicyGroupPermission.objects.filter(right, group__user=person).exists()
    )


def approvers_of(policy: ActionPolicy) -> list[User]:
    """Return everyone who may approve requests under this policy, sorted by user name."""
    right = Q(content_object=policy, permission__codename=APPROVE)
    people = ActionPolicyUserPermission.objects.filter(right).values("user")
    groups = ActionPolicyGroupPermission.objects.filter(right).values("group")
    members = User.objects.filter(is_active=True, memberships__workspace_id=policy.workspace_pk)
    return list(members.filter(Q(pk__in=people) | Q(groups__in=groups)).order_by("username").distinct())


def policies_approved_by(person: User) -> list[ActionPolicy]:
    """Return the current workspace's policies that allow a person to approve requests, sorted by action."""
    right = Q(permission__codename=APPROVE)
    own = ActionPolicyUserPermission.objects.filter(right, user=person).values("content_object")
    of_groups = ActionPolicyGroupPermission.objects.filter(right, group__user=person).values("content_object")
    here = Membership.objects.filter(user=person, user__is_active=True).values("workspace_id")
    policies = ActionPolicy.objects.filter(Q(pk__in=own) | Q(pk__in=of_groups), workspace_id__in=here)
    return list(policies.order_by("action"))


@transaction.atomic
def allow_approval(policy: ActionPolicy, person: User, *, actor: str) -> None:
    """Let a person approve requests under this policy."""
    from guardian.shortcuts import assign_perm  # imports models, so only after the apps are ready

    assign_perm(f"actions.{APPROVE}", person, policy)
    audit.record("policy.approver_added", actor=actor, action=policy.action, person=actor_of(person))


@transaction.atomic
def forbid_approval(policy: ActionPolicy, person: User, *, actor: str) -> None:
    """Revoke a right that a person was given directly; a right through a group remains."""
    from guardian.shortcuts import remove_perm  # imports models, see above

    remove_perm(f"actions.{APPROVE}", person, policy)
    audit.record("policy.approver_removed", actor=actor, action=policy.action, person=actor_of(person))


@transaction.atomic
def forbid_every_approval(person: User, *, actor: str) -> None:
    """Revoke all approval rights in the workspace that a person was given directly. Called when the person leaves, so
    that they do not regain these rights by rejoining.
    """
    rights = ActionPolicyUserPermission.objects.filter(user=person, permission__codename=APPROVE)
    for policy in ActionPolicy.objects.filter(pk__in=rights.values("content_object")).order_by("action"):
        forbid_approval(policy, person, actor=actor)
