"""Pages outside the console: the setup page, where the first administrator enters a name, an address and a password,
and the choice of language, which the desk and the console share.
"""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from supportbot.accounts.errors import InvalidSetupLink
from supportbot.accounts.models import User
from supportbot.accounts.people import choose_language
from supportbot.accounts.setup import check_link, create_first_administrator
from supportbot.errors import SupportBotError


class AdministratorForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(label=_("E-mail"), max_length=150, help_text=_("You log in with this address."))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 10 characters, not a common password, and not similar to your name or address."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].widget.attrs["autocomplete"] = "email"
        for field in self.fields.values():
            field.widget.attrs["class"] = "field"


@never_cache
@sensitive_post_parameters("password")
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form; create the administrator and log them in."""
    form = AdministratorForm(request.POST if request.method == "POST" else None)
    try:
        check_link(token)
        if form.is_bound and form.is_valid():
            user = create_first_administrator(token, **form.cleaned_data)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("admin:index")
    except InvalidSetupLink as refusal:
        return _shown(request, None, status=refusal.status)
    except SupportBotError as refusal:
        for field, problems in refusal.fields.items():
            form.add_error(field if field in form.fields else None, problems)
    return _shown(request, form, status=422 if form.errors else 200)


def _shown(request: HttpRequest, form: AdministratorForm | None, *, status: int) -> HttpResponse:
    title = gettext("Create the first administrator") if form else gettext("This link does not work")
    response = render(request, "registration/setup.html", {"title": title, "form": form}, status=status)
    # Django's own page would log the path of a refused form, and with it a link that still works.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@require_POST
@login_required(login_url="admin:login")
def language(request: HttpRequest) -> HttpResponse:
    """Store the choice and return to `next`, the page with the form."""
    assert isinstance(request.user, User)  # the view requires a login
    choose_language(request.user, request.POST.get("language", ""))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return redirect(target if is_ours else "home")


urls = [path("setup/<str:token>/", setup, name="setup"), path("language/", language, name="language")]
