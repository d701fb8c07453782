"""The choice of a language by a member of the team, for their pages in the desk and the console, and their mails."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from supportbot.accounts.models import User
from supportbot.team_language import TEAM_LANGUAGES


def choose_language(person: User, language: str) -> None:
    """Store the language of a person's pages and mails; an unknown language, or "", means their browser's."""
    person.language = language if language in TEAM_LANGUAGES else ""
    person.save(update_fields=["language"])


@require_POST
@login_required(login_url="admin:login")
def language(request: HttpRequest) -> HttpResponse:
    """Store the choice and return to `next`, the page with the form."""
    assert isinstance(request.user, User)  # the view requires a login
    choose_language(request.user, request.POST.get("language", ""))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else "home")


urls = [path("language/", language, name="language")]
