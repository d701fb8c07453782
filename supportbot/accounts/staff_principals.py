"""Team members as callers: finds a person in a workspace, and the people whose role grants a right."""

from uuid import UUID

from supportbot.accounts.models import Membership, User
from supportbot.accounts.principals import ROLE_SCOPES, Staff
from supportbot.accounts.scope import current_workspace_id


def staff_of(user: User, workspace_id: UUID | str | None = None) -> Staff | None:
    """Return the person as a member of a workspace (by default, their first); None if they are not a member or
    not active.
    """
    if not user.is_active:
        return None
    memberships = Membership.objects.filter(user=user).order_by("id")
    if workspace_id is not None:
        memberships = memberships.filter(workspace_id=workspace_id)
    membership = memberships.first()
    if membership is None:
        return None
    return Staff(membership.workspace_id, user.pk, user.display_name, membership.role, ROLE_SCOPES[membership.role])


def staff_logged_in(user: User, chosen: str | None) -> Staff | None:
    """Return the logged-in person in the chosen workspace or, if they have left it, in another one."""
    return (staff_of(user, chosen) if chosen else None) or staff_of(user)


def people_who_may(scope: str) -> set[UUID]:
    """Return the people whose role in the current workspace grants an API scope."""
    roles = [role for role, scopes in ROLE_SCOPES.items() if scope in scopes]
    members = Membership.objects.filter(workspace_id=current_workspace_id(), role__in=roles)
    return set(members.values_list("user_id", flat=True))
