"""Who of the team is there: whoever had the desk open within the last two minutes and is not away by their own word."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.timezone import now

from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotFound
from supportbot.handoff.models import Presence

ONLINE_FOR: Final = timedelta(minutes=2)
WRITE_INTERVAL: Final = timedelta(seconds=20)
ANSWERING_ROLES: Final = (Membership.Role.AGENT, Membership.Role.SUPERVISOR, Membership.Role.ADMIN)


def record_presence(user: User) -> None:
    """Note that a person is at work now; writes at most every 20 seconds."""
    row, is_new = Presence.objects.get_or_create(user=user)
    if not is_new and now() - row.seen_at > WRITE_INTERVAL:
        Presence.objects.filter(pk=row.pk).update(seen_at=now())


def set_away(user: User, *, is_away: bool) -> None:
    """Note that a person takes nothing new, or does again."""
    Presence.objects.update_or_create(user=user, defaults={"is_away": is_away, "seen_at": now()})


def is_away(user: User) -> bool:
    return bool(Presence.objects.filter(user=user, is_away=True).exists())


def is_online(user_id: UUID) -> bool:
    """Say whether one person is at work now."""
    return bool(_online().filter(user=user_id).exists())


def _online() -> QuerySet[Presence]:
    return Presence.objects.filter(seen_at__gt=now() - ONLINE_FOR, is_away=False)


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody else who answers customers here."""

    username: str
    name: str
    is_here: bool


def colleagues_of(user: User) -> list[Colleague]:
    """Return everybody else who answers customers in the scope's workspace: who is at work first, then by name."""
    roles = {"memberships__workspace_id": current_workspace_id(), "memberships__role__in": ANSWERING_ROLES}
    people = User.objects.filter(is_active=True, **roles).exclude(pk=user.pk).distinct()
    here = set(_online().values_list("user", flat=True))
    colleagues = [Colleague(one.username, one.display_name, one.pk in here) for one in people]
    return sorted(colleagues, key=lambda one: (not one.is_here, one.name.casefold()))


def is_team_online() -> bool:
    """Say whether anybody who answers customers is at work in the scope's workspace."""
    answering = Membership.objects.filter(
        workspace_id=current_workspace_id(), role__in=ANSWERING_ROLES, user__is_active=True
    )
    return bool(_online().filter(user__in=answering.values("user")).exists())


def can_answer_customers(user: User) -> bool:
    """Say whether a person may hold a ticket of the scope's workspace."""
    return user.memberships.filter(workspace_id=current_workspace_id(), role__in=ANSWERING_ROLES).exists()


def is_team_lead(user: User) -> bool:
    """Say whether a person may decide about colleagues' tickets."""
    leading = (Membership.Role.SUPERVISOR, Membership.Role.ADMIN)
    return user.memberships.filter(workspace_id=current_workspace_id(), role__in=leading).exists()


def member_by_name(name: str) -> User:
    """Return the person of the workspace by user name or id; raises NotFound naming the field `to`."""
    people = User.objects.filter(memberships__workspace_id=current_workspace_id(), is_active=True)
    try:
        wanted = Q(pk=UUID(name))
    except ValueError:
        wanted = Q(username=name)
    user = people.filter(wanted).first() if name.isprintable() else None  # NUL cannot even be asked for
    if user is None:
        raise NotFound(fields={"to": ["Nobody of this name works in this workspace."]})
    return user
