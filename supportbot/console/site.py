"""The console's admin site. Every page runs in the workspace chosen for the session.

Invariant: a page does all its work, including rendering, inside `workspace_scope`, so that a query without a workspace
is refused.
"""

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.checks import CheckMessage
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from unfold.sites import UnfoldAdminSite

from supportbot.accounts.expired_login import log_in_again
from supportbot.accounts.first_administrator import has_administrator
from supportbot.accounts.scope import workspace_scope
from supportbot.console.display import error_text
from supportbot.console.navigation import navigation
from supportbot.console.request_context import (
    enter,
    needs_workspace,
    person_of,
    staff_here,
    workspace_here,
    workspaces_of,
)
from supportbot.errors import NotAllowed, NotFound, SupportBotError
from supportbot.team_formats import time_zone

View = Callable[..., HttpResponse]


class ConsoleSite(UnfoldAdminSite):
    site_url = "/"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[URLPattern] = []
        self._front: View | None = None

    def add_pages(self, *pages: URLPattern) -> None:
        """Add pages that have no model. Permissions and the workspace scope apply as on other pages."""
        for page in pages:
            self._pages.append(path(str(page.pattern), self.admin_view(page.callback), name=page.name))

    def set_front_page(self, view: View) -> None:
        self._front = view

    def get_urls(self) -> list[Any]:
        admin.autodiscover()
        # Leave out the theme's search, which caches results per person across workspaces.
        switcher = path("workspace/", self.admin_view(require_POST(switch)), name="switch")
        return [switcher, path("session/", session, name="session"), *self._pages, *AdminSite.get_urls(self)]

    def check(self, app_configs: Sequence[AppConfig] | None) -> list[CheckMessage]:
        admin.autodiscover()  # otherwise, classes would be neither registered nor checked
        found: list[CheckMessage] = super().check(app_configs)
        return found

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return []  # we use our own `navigation`

    def has_permission(self, request: HttpRequest) -> bool:
        return staff_here(request) is not None

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        wrapped: View = super().admin_view(update_wrapper(_scoped(view), view), cacheable)

        def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "POST" and not request.user.is_authenticated and view != self.logout:
                return log_in_again(request, login_page=reverse("admin:login"), start=reverse("admin:index"))
            return wrapped(request, *args, **kwargs)

        return update_wrapper(entered, wrapped)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the login page. People who have no workspace but may create one are redirected to the page for creating
        one.
        """
        if request.method == "GET" and needs_workspace(request.user):
            return redirect("first-workspace")
        context = {**(extra_context or {}), "has_administrator": has_administrator}
        response: HttpResponse = super().login(request, context)
        return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        assert self._front is not None, "set with the other pages, when the URLs are first used"
        return self._front(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the template context of the frame around a page.

        The theme would also compute the menus and colours of its own frame, which is not shown. Computing them took a
        tenth of a page's time.
        """
        context: dict[str, Any] = {
            "site_title": self._get_config("SITE_TITLE", request),
            "site_favicons": self._get_favicons("SITE_FAVICONS", request),
            "has_permission": self.has_permission(request),
            "is_popup": False,
        }
        person = staff_here(request)
        if person is not None:
            workspace = workspace_here(request)
            context |= {
                "staff": person,
                "workspace": workspace,
                "workspaces": workspaces_of(person_of(request)),
                "navigation": navigation(request, person),
                "time_zone": time_zone(workspace.timezone),
            }
        return context


def switch(request: HttpRequest) -> HttpResponse:
    """Switch to another of the person's workspaces, and redirect to `next` or to the overview."""
    try:
        enter(request, UUID(request.POST.get("workspace", "")))
    except ValueError as error:
        raise NotFound() from error
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else "admin:index")


@require_safe
@never_cache
def session(request: HttpRequest) -> JsonResponse:
    """Return who is logged in, the workspace chosen for the session and a token for forms; all "" if nobody is."""
    person = staff_here(request)
    if person is None:
        return JsonResponse({"user": "", "workspace": "", "token": ""})
    user, workspace = str(request.user.pk), str(person.workspace_id)
    return JsonResponse({"user": user, "workspace": workspace, "token": get_token(request)})


def _scoped(view: View) -> View:
    def in_workspace(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        workspace = workspace_here(request)
        with workspace_scope(workspace.pk), timezone.override(ZoneInfo(workspace.timezone)):
            try:
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()
            except SupportBotError as refusal:
                return _refused(request, refusal)
            return response

    return in_workspace


def _refused(request: HttpRequest, refusal: SupportBotError) -> HttpResponse:
    """Show a refusal that the page did not handle. 403 and 404 are raised, so that Django's handlers show them."""
    if isinstance(refusal, NotAllowed):
        raise PermissionDenied(refusal.message) from refusal
    if refusal.status == NotFound.status:
        raise Http404(refusal.message) from refusal
    texts = {"title": gettext("Nothing was changed"), "message": error_text(refusal)}
    context = {**admin.site.each_context(request), **texts}
    return render(request, "console/refused.html", context, status=refusal.status)
