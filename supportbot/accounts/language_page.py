"""The form with which a team member chooses the language of their pages; both the desk and the console show it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from supportbot.accounts.models import User
from supportbot.accounts.people import choose_language


@require_POST
@login_required(login_url="admin:login")
def language(request: HttpRequest) -> HttpResponse:
    """Store the choice and return to `next`, the page with the form."""
    assert isinstance(request.user, User)  # logged in
    choose_language(request.user, request.POST.get("language", ""))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else "home")


urls = [path("language/", language, name="language")]
