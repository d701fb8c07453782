"""The language of pages: the one that the request asks for, or the one that a team member has chosen."""

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import redirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import activate
from django.views.decorators.http import require_POST

from supportbot.accounts.models import User
from supportbot.team_language import ENGLISH, TEAM_LANGUAGES, team_language

TEAM_PAGES: Final = ("/admin/", "/desk/")
API: Final = "/api/"


def choose_language(person: User, language: str) -> None:
    """Store the language of a person's pages and e-mails. An unknown language, or "", stands for their browser's."""
    person.language = language if language in TEAM_LANGUAGES else ""
    person.save(update_fields=["language"])


@require_POST
@login_required(login_url="admin:login")
def language(request: HttpRequest) -> HttpResponse:
    """Store the choice, and redirect to `next`, the page that contains the form."""
    assert isinstance(request.user, User)  # the view requires a login
    choose_language(request.user, request.POST.get("language", ""))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else "home")


urls = [path("language/", language, name="language")]


class PageLocaleMiddleware(LocaleMiddleware):
    """Django's middleware, unchanged for customers' pages. The team's pages use the language that the person chose; the
    API and its documentation are in English.

    It comes after authentication in `MIDDLEWARE`, because the choice belongs to the logged-in person.
    """

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(TEAM_PAGES) or request.path_info == "/":
            language = team_language(getattr(request.user, "language", ""), request.headers.get("Accept-Language", ""))
        elif request.path_info.startswith(API):
            language = ENGLISH
        else:
            super().process_request(request)
            return
        activate(language)
        request.LANGUAGE_CODE = language
