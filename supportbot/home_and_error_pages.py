"""The installation's own pages: the home page, the API's documentation, and error pages."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop, override

from supportbot.accounts.first_administrator import has_administrator
from supportbot.accounts.models import Workspace
from supportbot.errors import NoSpace, NotAllowed, NotFound, error_body, is_out_of_space
from supportbot.openapi import whole_schema
from supportbot.team_formats import active_language
from supportbot.team_language import team_language

logger = logging.getLogger(__name__)
DEMO: Final = "wrenfell"  # the workspace that the first start creates
CODE: Final = re.compile("`([^`]+)`")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class HomeLink:
    """One link on the home page."""

    address: str
    name: str
    purpose: str
    icon: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error page: a code for programs and, for people, what happened and what to do."""

    status: int
    code: str
    title: str
    message: str
    way_out: str
    api_message: str = ""  # what the API says instead of the message

    def translated(self) -> "Refusal":
        """Return the page's texts in the active language. The constants below contain the English texts."""
        return replace(self, title=gettext(self.title), message=gettext(self.message), way_out=gettext(self.way_out))


BAD_REQUEST = Refusal(
    400, "bad_request", gettext_noop("Bad request"),
    gettext_noop("The request is malformed or too large. Nothing was changed."),
    gettext_noop("Go back, check your input and try again."),
)  # fmt: skip
FORBIDDEN = Refusal(
    403, NotAllowed.code, gettext_noop("You do not have access to this page"),
    NotAllowed.default_message, gettext_noop("Log in with another account, or ask an administrator for access."),
)  # fmt: skip
FORM_EXPIRED = Refusal(
    403, "csrf_failed", gettext_noop("This form could not be verified"),
    gettext_noop("The form was open too long, or the browser blocks cookies for this site. Nothing was changed."),
    gettext_noop("Go back, copy your text, reload the page and submit it again."),
)  # fmt: skip
MISSING = Refusal(
    404, NotFound.code, gettext_noop("Page not found"),
    gettext_noop("The page may have been moved or deleted, or you do not have access to it."),
    gettext_noop("Check the address, or start from the home page."),
    NotFound.default_message,
)  # fmt: skip
FORMS_ONLY = Refusal(
    405, "method_not_allowed", gettext_noop("This address only accepts forms"),
    gettext_noop("This address only works through a button on another page. Nothing was changed."),
    gettext_noop("Go back, reload that page and press its button."),
)  # fmt: skip
FAILED = Refusal(
    500, "server_error", gettext_noop("This page could not be shown"),
    gettext_noop("Something went wrong on our side. The error has been logged."),
    gettext_noop("Try again in a moment. If it keeps happening, contact your administrator."),
)  # fmt: skip

NO_SPACE = Refusal(
    NoSpace.status, NoSpace.code, gettext_noop("The server's disk is full"),
    gettext_noop(
        "The request was not completed, so what you sent was not stored, or only in part. Nothing that was stored "
        "before has been lost."
    ),
    gettext_noop("Ask an administrator to free some space. Then go back and try again."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the API table."""

    method: str
    address: str
    purpose: str  # HTML


def home(request: HttpRequest) -> HttpResponse:
    """Show the home page."""
    links = {"customer_links": list(_customer_links(request)), "team_links": list(_team_links())}
    return render(request, "pages/home.html", {**links, **_emptiness()})


def _emptiness() -> dict[str, bool]:
    has_workspaces = Workspace.objects.exists()
    return {"has_workspaces": has_workspaces, "is_empty": not has_workspaces and not has_administrator()}


def api_docs(request: HttpRequest) -> HttpResponse:
    """Show how to call the API. The page links to the OpenAPI schema."""
    return render(request, "pages/api_docs.html", {"base_url": settings.BASE_URL, "calls": _calls()})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refused(request, BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refused(request, FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _refused(request, FORM_EXPIRED)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refused(request, MISSING)


def failed(request: HttpRequest) -> HttpResponse:
    return _refused(request, FAILED)


def no_space(request: HttpRequest) -> HttpResponse:
    logger.error("%s: the disk is full, so the request was not completed", request.path)
    response = _refused(request, NO_SPACE)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own: it would log a second line
    return response


class NoSpacePage:
    """Shows a page that explains that the disk is full, if an upload fails or something cannot be stored."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, *_: object) -> HttpResponse | None:
        """Unpack uploaded files here.

        Otherwise, the check of the form's token would do so next, and it cannot handle a full disk.
        """
        is_form = request.method == "POST" and request.content_type == "multipart/form-data"
        if not is_form or getattr(view, "csrf_exempt", False):
            return None
        try:
            request.POST  # noqa: B018  # Django unpacks the files here
        except OSError as error:
            if not is_out_of_space(error):  # not ignored, because the form would seem to be empty when it is read again
                raise
            return no_space(request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return no_space(request) if is_out_of_space(error) else None


class MethodNotAllowedPage:
    """Shows a page for status 405.

    People see it if they open the address of a form; Django's own page would be blank.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method != "GET" or not isinstance(response, HttpResponseNotAllowed):
            return response
        page = _refused(request, FORMS_ONLY)
        page.headers["Allow"] = response.headers["Allow"]
        return page


def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Return JSON to programs and a page to people.

    This uses neither the session nor the database, which may have failed.
    """
    if request.path.startswith("/api/"):
        return JsonResponse(error_body(refusal.code, refusal.api_message or refusal.message), status=refusal.status)
    with override(team_language(active_language())):  # these pages have only the team's translations
        shown = refusal.translated()
        if request.headers.get("Accept") == "application/json":  # a page's script shows the message
            body = error_body(refusal.code, f"{shown.message} {shown.way_out}")
            return JsonResponse(body, status=refusal.status)
        return HttpResponse(render_to_string("pages/refusal.html", {"refusal": shown}), status=refusal.status)


def _customer_links(request: HttpRequest) -> Iterable[HomeLink]:
    if settings.HOST in {"127.0.0.1", "localhost"} and Workspace.objects.filter(slug=DEMO).exists():
        address = f"http://127.0.0.1:{settings.SHOP_PORT}/"
        yield HomeLink(
            address, gettext("Storefront"), gettext("The demo shop with its orders, ledger and faults"), "bag"
        )
    for workspace in _workspaces_to_name(request):
        address = f"/help/{workspace.slug}/"
        if _is_served(address):
            yield HomeLink(address, workspace.name, gettext("Help pages that the assistant answers from"), "book")


def _workspaces_to_name(request: HttpRequest) -> Iterable[Workspace]:
    """Return the workspaces whose names this reader may see. A hosting company's list of customers is not public."""
    workspaces = Workspace.objects.order_by("name")
    if request.user.is_authenticated:
        return workspaces.filter(memberships__user=request.user)
    found = list(workspaces[:2])
    return found if len(found) == 1 else workspaces.filter(slug=DEMO)


def _team_links() -> Iterable[HomeLink]:
    yield HomeLink("/admin/", gettext("Console"), gettext("Manage articles, channels, rules and the team"), "gear")
    if _is_served("/desk/"):
        yield HomeLink("/desk/", gettext("Desk"), gettext("Conversations that need a person"), "inbox")
    yield HomeLink("/api/v1/docs/", gettext("API"), gettext("How other programs use SupportBot"), "key")


def _is_served(address: str) -> bool:
    try:
        resolve(address)
    except Resolver404:
        return False
    return True


@cache
def _calls() -> tuple[Call, ...]:
    """Return every call in the schema, sorted by address.

    The result is cached, because it changes only with the code.
    """
    return tuple(
        Call(method.upper(), address, _with_code(_first_paragraph(operations[method].get("description", ""))))
        for address, operations in sorted(whole_schema()["paths"].items())
        for method in METHODS
        if method in operations
    )


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _with_code(text: str) -> SafeString:
    """Return a description as HTML. It is Markdown from the schema, where backticks mark code."""
    words, *pairs = CODE.split(text)
    marked = format_html_join("", "<code>{}</code>{}", zip(pairs[::2], pairs[1::2], strict=True))
    return format_html("{}{}", words, marked)


NoEmptyPage = MethodNotAllowedPage  # the former name, for a deployment's settings, until 0.3
