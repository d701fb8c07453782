"""Who may enter the desk's pages, and what every one of them shows around its own."""

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

from supportbot.accounts.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.callers import Staff
from supportbot.accounts.models import Workspace
from supportbot.accounts.relogin import log_in_again
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.selectors import staff_logged_in
from supportbot.errors import NotFound
from supportbot.handoff.desk.labels import avatar_hue, initials
from supportbot.handoff.desk.rows import queue_counts
from supportbot.handoff.tickets.access import may_use_desk, user_of
from supportbot.handoff.tickets.presence import is_away

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Staff, P], HttpResponse]


def agent_required(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page inside the workspace of a person who may see tickets, in its time zone.

    Others are asked to log in, or told why not.
    """

    @wraps(page)
    @never_cache
    def scoped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            door = reverse("desk-login")
            if request.method == "POST":
                return log_in_again(request, door=door, start=reverse("desk"))
            return redirect_to_login(request.get_full_path(), door)
        staff = staff_logged_in(request.user, request.session.get(WORKSPACE_SESSION_KEY))
        if staff is None or not may_use_desk(staff):
            house = Workspace.objects.get(pk=staff.workspace_id) if staff else None
            return render(request, "desk/no_entry.html", {"workspace": house}, status=403)
        with workspace_scope(staff.workspace_id), override(_zone_of(staff)):
            try:
                return page(request, staff, *args, **kwargs)
            except NotFound as error:
                raise Http404 from error

    return scoped


def _zone_of(staff: Staff) -> ZoneInfo:
    return ZoneInfo(Workspace.objects.values_list("timezone", flat=True).get(pk=staff.workspace_id))


def render_page(
    request: HttpRequest, staff: Staff, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    """Render a page of the desk with its rail: who is here, what waits."""
    person = user_of(staff)
    house = {
        "staff": staff,
        "me": {"name": person.display_name, "initials": initials(person.display_name), "hue": avatar_hue(person.pk)},
        "workspace": Workspace.objects.get(pk=staff.workspace_id),
        "counts": queue_counts(person),
        "may_approve": staff.may("actions:approve"),
        "is_away": is_away(person),
    }
    return render(request, template, {**house, **context}, status=status)
