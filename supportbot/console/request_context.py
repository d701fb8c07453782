"""The current person and workspace of a console request.

The desk and the console store the chosen workspace in the same session key.
"""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

from supportbot.accounts.models import User, Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.staff_principals import staff_logged_in, staff_of
from supportbot.console.permissions import may
from supportbot.errors import NotAllowed, NotFound


def staff_here(request: HttpRequest) -> Staff | None:
    """Return who made this request, in their chosen or first workspace; None if they are not a member of any.

    The person is looked up once per request. A superuser who has no workspace also gets None.
    """
    known = cast(Any, request)  # cached on the request
    if not hasattr(known, "console_staff"):
        known.console_staff = _staff_of(request)
    return cast("Staff | None", known.console_staff)


def staff(request: HttpRequest) -> Staff:
    """Return who made this request; raises NotAllowed if they are not a member of a workspace."""
    found = staff_here(request)
    if found is None:
        raise NotAllowed()
    return found


def needs(request: HttpRequest, right: str) -> Staff:
    """Return who made this request; raises NotAllowed if they lack the right."""
    person = staff(request)
    if not may(person, right):
        raise NotAllowed(gettext("Your role does not allow this. Ask an administrator of the workspace."))
    return person


def person_of(request: HttpRequest) -> User:
    """Return the account of the person who made this request."""
    return cast(User, request.user)


def workspace_here(request: HttpRequest) -> Workspace:
    """Return the workspace of this request. It is read once per request."""
    known = cast(Any, request)
    if not hasattr(known, "console_workspace"):
        known.console_workspace = Workspace.objects.get(pk=staff(request).workspace_id)
    return cast(Workspace, known.console_workspace)


def workspaces_of(user: User) -> QuerySet[Workspace]:
    """Return a person's workspaces, sorted by name."""
    return Workspace.objects.filter(memberships__user=user).order_by("name", "pk")


def needs_workspace(user: Any) -> bool:
    """Return whether this person is not a member of any workspace but may create one."""
    return isinstance(user, User) and user.is_active and user.is_superuser and not workspaces_of(user).exists()


def enter(request: HttpRequest, workspace_id: UUID) -> None:
    """Choose a workspace for this session. Raises NotFound unless the person is a member of it."""
    if staff_of(person_of(request), workspace_id) is None:
        raise NotFound()
    request.session[WORKSPACE_SESSION_KEY] = str(workspace_id)


def _staff_of(request: HttpRequest) -> Staff | None:
    user = request.user
    if not isinstance(user, User) or not user.is_staff:
        return None
    return staff_logged_in(user, request.session.get(WORKSPACE_SESSION_KEY))
