"""Determines which team members are online: those who had the desk open in the last two minutes and are not away."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotFound
from supportbot.handoff.models import Presence

ONLINE_FOR: Final = timedelta(minutes=2)
WRITE_INTERVAL: Final = timedelta(seconds=20)
ANSWERING_ROLES: Final = (Membership.Role.AGENT, Membership.Role.SUPERVISOR, Membership.Role.ADMIN)


def record_presence(user: User) -> None:
    """Record that a user is online now. Writes at most every 20 seconds."""
    row, is_new = Presence.objects.get_or_create(user=user)
    if not is_new and now() - row.seen_at > WRITE_INTERVAL:
        Presence.objects.filter(pk=row.pk).update(seen_at=now())


def set_away(user: User, *, is_away: bool) -> None:
    """Set whether a user is away, in which case they get no new tickets."""
    Presence.objects.update_or_create(user=user, defaults={"is_away": is_away, "seen_at": now()})


def is_away(user: User) -> bool:
    return bool(Presence.objects.filter(user=user, is_away=True).exists())


def is_online(user_id: UUID) -> bool:
    """Return whether a user is online."""
    return bool(_online().filter(user=user_id).exists())


def _online() -> QuerySet[Presence]:
    return Presence.objects.filter(seen_at__gt=now() - ONLINE_FOR, is_away=False)


@dataclass(frozen=True, slots=True)
class Colleague:
    """Another member of the workspace who can answer customers."""

    username: str
    name: str
    is_online: bool


def colleagues_of(user: User) -> list[Colleague]:
    """Return everyone else who can answer customers in the current workspace, those online first, then by name."""
    roles = {"memberships__workspace_id": current_workspace_id(), "memberships__role__in": ANSWERING_ROLES}
    people = User.objects.filter(is_active=True, **roles).exclude(pk=user.pk).distinct()
    online = set(_online().values_list("user", flat=True))
    colleagues = [Colleague(one.username, one.display_name, one.pk in online) for one in people]
    return sorted(colleagues, key=lambda one: (not one.is_online, one.name.casefold()))


def is_team_online() -> bool:
    """Return whether anyone who can answer customers is online in the current workspace."""
    answering = Membership.objects.filter(
        workspace_id=current_workspace_id(), role__in=ANSWERING_ROLES, user__is_active=True
    )
    return bool(_online().filter(user__in=answering.values("user")).exists())


def can_answer_customers(user: User) -> bool:
    """Return whether a user may own a ticket of the current workspace."""
    return user.memberships.filter(workspace_id=current_workspace_id(), role__in=ANSWERING_ROLES).exists()


def is_team_lead(user: User) -> bool:
    """Return whether a user may act on colleagues' tickets."""
    leading = (Membership.Role.SUPERVISOR, Membership.Role.ADMIN)
    return user.memberships.filter(workspace_id=current_workspace_id(), role__in=leading).exists()


def member_by_name(name: str) -> User:
    """Return a member of the workspace by user name or id; raises NotFound with the field `to`."""
    people = User.objects.filter(memberships__workspace_id=current_workspace_id(), is_active=True)
    try:
        wanted = Q(pk=UUID(name))
    except ValueError:
        wanted = Q(username=name)
    user = people.filter(wanted).first() if name.isprintable() else None  # the database rejects NUL
    if user is None:
        raise NotFound(fields={"to": [gettext("No member of this workspace has this name.")]})
    return user
