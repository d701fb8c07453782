"""Creates the first administrator of an empty installation, on a page whose link only the operator can create.

Invariant: once there is an administrator, no link works. A link has 256 random bits, is stored as a hash, and works
once.
"""

import secrets
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from supportbot.accounts.errors import AlreadySetUp, InvalidSetupLink, NameTaken
from supportbot.accounts.models import Membership, SetupLink, User, hash_secret
from supportbot.accounts.team_members import check_person
from supportbot.errors import InvalidInput, SupportBotError

TOKEN_BYTES: Final = 32
LIFETIME: Final = timedelta(days=3)  # the same as for links for setting a password


def has_administrator() -> bool:
    """Return whether this installation or one of its workspaces has an administrator, even if their account is
    inactive.
    """
    is_administrator = Q(is_superuser=True) | Q(memberships__role=Membership.Role.ADMIN)
    return User.objects.filter(is_administrator).exists()


def make_link() -> str:
    """Return a URL for creating the first administrator. It replaces any earlier one. Raises AlreadySetUp."""
    if has_administrator():
        raise AlreadySetUp()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    SetupLink.objects.update_or_create(pk=1, defaults={"token_hash": hash_secret(token), "created_at": now()})
    return f"{settings.BASE_URL}{reverse('setup', args=[token])}"


def check_link(token: str) -> None:
    """Raise InvalidSetupLink unless this link could create an administrator now."""
    is_current = SetupLink.objects.filter(token_hash=hash_secret(token), created_at__gt=now() - LIFETIME).exists()
    if not is_current or has_administrator():
        raise InvalidSetupLink()


@transaction.atomic
def create_first_administrator(token: str, *, name: str, email: str, password: str) -> User:
    """Create the first administrator, whose user name is their e-mail address, and use up the link.

    Raises InvalidSetupLink, or InvalidInput for an invalid name, address or password.
    """
    # The lock makes a second use wait until the first has deleted the row.
    list(SetupLink.objects.select_for_update().values_list("pk"))
    check_link(token)
    first, _, last = name.strip().partition(" ")
    user = User(username=email, email=email, first_name=first, last_name=last, is_staff=True, is_superuser=True)
    check_person(user.username, email, name)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(fields={"password": list(error.messages)}) from error
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(fields={"email": [gettext("Already taken.")]}) from error
    SetupLink.objects.all().delete()
    return user


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
    """Show the form. On a POST, create the administrator and log them in."""
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


urls = [path("setup/<str:token>/", setup, name="setup")]
