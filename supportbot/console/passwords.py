"""Setting a password with a link sent by e-mail, after forgetting it or being invited."""

from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import (
    PasswordResetCompleteView,
    PasswordResetConfirmView,
    PasswordResetDoneView,
    PasswordResetView,
)
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _
from rest_framework.throttling import BaseThrottle

from supportbot.accounts.models import User, Workspace
from supportbot.rate_counters import count

MAX_MAILS: Final = 5
WINDOW_SECONDS: Final = 15 * 60


class ResetForm(PasswordResetForm):
    """Mails a link that always leads to the installation's own address.

    The Host header must not decide where it leads.
    """

    def save(self, **options: Any) -> None:  # type: ignore[override]  # all of Django's options are passed on
        base = urlsplit(settings.BASE_URL)
        super().save(**{**options, "domain_override": base.netloc, "use_https": base.scheme == "https"})

    def send_mail(  # type: ignore[override]  # all of Django's arguments are passed on
        self, subject: str, body: str, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        """Send the e-mail in the account's language or, if it has none, in the page's."""
        with override(context["user"].language or get_language()):
            super().send_mail(subject, body, context, *args, **kwargs)


class AskForLink(PasswordResetView):
    """Responds in the same way whether or not the address is known. Requests from one IP address lead to only a few
    e-mails in 15 minutes.
    """

    form_class = ResetForm
    template_name = "registration/password_reset_form.html"
    email_template_name = "registration/password_reset_email.txt"
    subject_template_name = "registration/password_reset_subject.txt"
    success_url = reverse_lazy("password_reset_done")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        address = BaseThrottle().get_ident(request)  # type: ignore[arg-type]  # reads META only
        if count(f"reset:{address}", seconds=WINDOW_SECONDS) > MAX_MAILS:
            context = self.get_context_data(form=self.get_form(), is_too_often=True)
            return self.render_to_response(context, status=429)
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(has_mail_server=has_mail_server(), **kwargs)


class LinkRequested(PasswordResetDoneView):
    template_name = "registration/password_reset_done.html"
    title = _("Forgot your password?")  # Django's own title says that a password was sent

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(has_mail_server=has_mail_server(), **kwargs)


def has_mail_server() -> bool:
    """Return whether e-mails leave this machine. If not, they are written to files, which only operators can read."""
    return bool(settings.EMAIL_URL)


def password_link(user: User) -> str:
    """Return a link for setting this person's password. It works once, within three days."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path_of_link = reverse("password_reset_confirm", args=[uid, default_token_generator.make_token(user)])
    return f"{settings.BASE_URL}{path_of_link}"


def send_invitation(user: User, workspace: Workspace, *, inviter: User) -> None:
    """Mail a new team member a link for setting their password."""
    context = {"user": user, "workspace": workspace, "inviter": inviter, "link": password_link(user)}
    # A new member has not chosen a language yet, so the e-mail is in the inviting colleague's language.
    with override(user.language or get_language()):
        body = render_to_string("console/invitation.txt", context)
        subject = gettext("Your account at {workspace}").format(workspace=workspace.name)
    send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, [user.email])


urls = [
    path("password_reset/", AskForLink.as_view(), name="admin_password_reset"),
    path("password_reset/done/", LinkRequested.as_view(), name="password_reset_done"),
    path(
        "reset/<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(template_name="registration/password_reset_confirm.html"),
        name="password_reset_confirm",
    ),
    path(
        "reset/done/",
        PasswordResetCompleteView.as_view(template_name="registration/password_reset_complete.html"),
        name="password_reset_complete",
    ),
]
