"""Access to the desk's pages, and the frame that they share."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import override
from django.views.decorators.cache import never_cache

from supportbot.accounts.expired_login import log_in_again
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.rest.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.staff_principals import staff_logged_in
from supportbot.errors import NotFound
from supportbot.handoff.desk.labels import avatar_hue, initials
from supportbot.handoff.desk.queue_rows import queue_counts
from supportbot.handoff.tickets.access import may_use_desk, user_of
from supportbot.handoff.tickets.presence import is_away

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Staff, P], HttpResponse]


def agent_required(view: View[P]) -> Callable[..., HttpResponse]:
    """Run a view in the workspace and time zone of an agent who may use the desk.

    Visitors are asked to log in. Members who may not use the desk get a page that explains why.
    """

    @wraps(view)
    @never_cache
    def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            login_url = reverse("desk-login")
            if request.method == "POST":
                return log_in_again(request, login_page=login_url, start=reverse("desk"))
            return redirect_to_login(request.get_full_path(), login_url)
        staff = staff_logged_in(request.user, request.session.get(WORKSPACE_SESSION_KEY))
        if staff is None or not may_use_desk(staff):
            workspace = Workspace.objects.get(pk=staff.workspace_id) if staff else None
            return render(request, "desk/no_entry.html", {"workspace": workspace}, status=403)
        with workspace_scope(staff.workspace_id), override(_time_zone_of(staff)):
            try:
                return view(request, staff, *args, **kwargs)
            except NotFound as error:
                raise Http404 from error

    return wrapped


def _time_zone_of(staff: Staff) -> ZoneInfo:
    return ZoneInfo(Workspace.objects.values_list("timezone", flat=True).get(pk=staff.workspace_id))


def render_page(
    request: HttpRequest, staff: Staff, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """Render a desk page with the navigation rail, which shows who is logged in and what is waiting."""
    person = user_of(staff)
    frame = {
        "staff": staff,
        "me": {"name": person.display_name, "initials": initials(person.display_name), "hue": avatar_hue(person.pk)},
        "workspace": Workspace.objects.get(pk=staff.workspace_id),
        "is_in_several": person.memberships.count() > 1,
        "counts": queue_counts(person),
        "may_approve": staff.may("actions:approve"),
        "is_away": is_away(person),
    }
    return render(request, template, {**frame, **context}, status=status)
