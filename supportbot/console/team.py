"""Team members and their roles. New members set their own password with a link. They get it by e-mail or, if there is
no mail server, from the person who invites them.
"""

import logging
import secrets
from smtplib import SMTPException
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.approvers import forbid_every_approval, policies_approved_by
from actions.audit import actor_of
from actions.models import ActionPolicy
from actions.registry import action_in_force
from supportbot.accounts.models import ApiKey, Membership, User, Workspace
from supportbot.accounts.ports import person_in_records, record_change
from supportbot.accounts.team_members import add_member, change_person, create_person, remove_member, works_only_here
from supportbot.console.actions.rule_checks import approvers_warning
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words
from supportbot.console.new_secret import show_once
from supportbot.console.passwords import has_mail_server, password_link, send_invitation
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput
from supportbot.handoff.models import HELD, Ticket
from supportbot.team_formats import active_language, labelled, number

logger = logging.getLogger(__name__)
RIGHT = "team:write"
# Django's own German texts use the informal "du", but these pages use "Sie".
INVALID_EMAIL = _("Enter a valid e-mail address, such as name@example.com.")
ROLES = [
    ("editor", _("Editor: writes articles")),
    ("agent", _("Agent: answers customers")),
    ("supervisor", _("Supervisor: leads agents, and approves requests if the action's rules allow it")),
    ("admin", _("Admin: everything in this workspace")),
]


class NewMemberForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    username = forms.CharField(max_length=150, label=_("User name"), help_text=_("Used to log in."))
    name = forms.CharField(max_length=150, required=False, label=_("Name"), help_text=_("Shown to customers."))
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("The link to set a password is sent here."),
        error_messages={"invalid": INVALID_EMAIL},
    )
    role = forms.ChoiceField(choices=ROLES, label=_("Role"))

    class Meta:
        model = Membership
        fields = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_mail_server():
            self.fields["email"].help_text = gettext(
                "No mail server is set up. You will get the link to set a password, and must pass it on yourself."
            )

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"]).strip()
        try:
            User.username_validator(username)
        except ValidationError as error:
            raise ValidationError(gettext("Use only letters, digits and @ . + - _.")) from error
        if User.objects.filter(username=username).exists():
            raise ValidationError(
                gettext(
                    "This user name is taken. Choose another, or ask the operator to add the existing account "
                    "(member_add)."
                )
            )
        return username


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    name = forms.CharField(max_length=150, required=False, label=_("Name"), help_text=_("Shown to customers."))
    email = forms.EmailField(
        required=False,
        label=_("E-mail"),
        help_text=_("Links to set a password are sent here."),
        error_messages={"invalid": INVALID_EMAIL},
    )
    role = forms.ChoiceField(choices=ROLES, label=_("Role"))

    class Meta:
        model = Membership
        fields = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = self.instance.user
        self.initial.update({"name": user.get_full_name(), "email": user.email})


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    many = _("Team")
    new = _("New member")
    view_right = change_right = RIGHT
    can_add = can_delete = True
    list_display = ["person", "username", "address", "role", "last_seen"]
    list_filter = ["role"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__first_name", "user__last_name", "user__email"]
    ordering = ["user__username"]
    change_form_template = "console/member.html"
    delete_confirmation_template = "console/member_delete.html"

    def name_of(self, row: Membership) -> str:
        return row.user.display_name

    @admin.display(description=_("Name"), ordering="user__first_name")
    def person(self, membership: Membership) -> str:
        return membership.user.display_name

    @admin.display(description=_("User name"), ordering="user__username")
    def username(self, membership: Membership) -> str:
        return membership.user.username

    @admin.display(description=_("E-mail"))
    def address(self, membership: Membership) -> str:
        return membership.user.email

    @admin.display(description=_("Last login"), ordering="user__last_login")
    def last_seen(self, membership: Membership) -> str:
        return moment_in_words(membership.user.last_login)

    def page_context(self, request: HttpRequest, row: Membership) -> dict[str, Any]:
        return {
            "delete_words": gettext("Remove from the team"),  # the account stays
            "may_be_invited": _may_be_invited(row.user),
        }

    def get_urls(self) -> list[URLPattern]:
        invite = self.admin_site.admin_view(require_POST(self.invite))
        return [path("<uuid:member_id>/invite/", invite, name="membership-invite"), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = MemberForm if obj else NewMemberForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["username", "name", "email", "role"]
        who = ["name", "email"] if works_only_here(obj.user) else ["person", "address"]
        return ["username", *who, "role", "last_seen"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["username", "person", "address", "last_seen"] if obj else []

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        workspace, values = Workspace.objects.get(pk=needs(request, RIGHT).workspace_id), form.cleaned_data
        actor = actor_of(person_of(request))
        if change:
            add_member(workspace, obj.user, values["role"], actor=actor)
            if works_only_here(obj.user):  # otherwise, the form lacks these fields
                change_person(obj.user, name=values["name"], email=values["email"], actor=actor)
            return
        # Nobody knows this initial password; the mailed link replaces it.
        user = create_person(
            workspace,
            values["username"],
            role=values["role"],
            password=secrets.token_urlsafe(32),
            name=values["name"],
            email=values["email"],
            actor=actor,
        )
        obj.pk = Membership.objects.get(user=user, workspace=workspace).pk
        obj.user, obj.workspace = user, workspace
        transaction.on_commit(lambda: _invite(request, user, workspace))

    def response_add(self, request: HttpRequest, obj: Membership, post_url_continue: str | None = None) -> HttpResponse:
        if has_mail_server():
            return super().response_add(request, obj, post_url_continue)
        purpose = gettext(
            "No mail server is set up, so no e-mail was sent. Send this link to {name}, who can then set a password. "
            "It works once, within three days."
        )
        return self._link_page(request, obj, purpose)

    def invite(self, request: HttpRequest, member_id: UUID) -> HttpResponse:
        """Make a new link, because the first one may be lost or have expired."""
        workspace = Workspace.objects.get(pk=needs(request, RIGHT).workspace_id)
        member = get_object_or_404(self.get_queryset(request), pk=member_id)
        if not _may_be_invited(member.user):
            messages.error(request, gettext("This account is already in use, so no new link can be created here."))
            return redirect("admin:accounts_membership_change", member.pk)
        is_mailed = has_mail_server() and bool(member.user.email)
        if not is_mailed or _invite(request, member.user, workspace):
            with transaction.atomic():
                actor, person = actor_of(person_of(request)), person_in_records(member.user)
                record_change("member.invited", actor=actor, person=person)
        if is_mailed:
            return redirect("admin:accounts_membership_change", member.pk)
        purpose = gettext("Send this link to {name}, who can then set a password. It works once, within three days.")
        return self._link_page(request, member, purpose)

    def _link_page(self, request: HttpRequest, member: Membership, purpose: str) -> HttpResponse:
        """Show the link to an account.

        Nobody has used the account yet, so everyone who may create it may see the link.
        """
        name = member.user.display_name
        return show_once(
            self.admin_site,
            request,
            title=gettext("Invitation for {name}").format(name=name),
            label=gettext("Link"),
            secret=password_link(member.user),
            purpose=purpose.format(name=name),
            back=("admin:accounts_membership_change", member.pk),
        )

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        actor = actor_of(person_of(request))
        decided = policies_approved_by(obj.user)
        forbid_every_approval(obj.user, actor=actor)
        remove_member(obj, actor=actor)
        _warn_of_missing_approvers(request, decided)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except InvalidInput as refusal:
            messages.error(request, refusal.message)
            return self._redirect_to("changelist")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List what ends together with the role. No row is deleted with it, and the person's messages are kept."""
        text = gettext("{name} will lose their role in this workspace. The account itself is kept.")
        names = []
        for membership in objs:
            names += [text.format(name=self.name_of(membership)), *_consequences(membership.user)]
        return names, {}, set(), []

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.success(request, gettext("Removed from the team."))
        return self._redirect_to("changelist")


def _may_be_invited(person: User) -> bool:
    """Return whether an admin of this workspace may give someone a link to this account.

    It must be unused, and in no other workspace.
    """
    acts_by_key = ApiKey.objects.filter(user=person).exists()
    return person.last_login is None and not acts_by_key and works_only_here(person)


def _consequences(person: User) -> list[str]:
    """Return what else happens in this workspace if someone leaves."""
    held = Ticket.objects.filter(assignee=person, state__in=HELD).count()
    keys = ApiKey.objects.filter(user=person, revoked_at=None).count()
    tickets = ngettext("{number} open ticket returns to the queue.", "{number} open tickets return to the queue.", held)
    ended = ngettext("{number} API key is revoked.", "{number} API keys are revoked.", keys)
    return [words.format(number=number(count)) for words, count in ((tickets, held), (ended, keys)) if count]


def _warn_of_missing_approvers(request: HttpRequest, policies: list[ActionPolicy]) -> None:
    """Warn about actions that can no longer be approved as their rules require."""
    for policy in policies:
        if problem := approvers_warning(policy):
            action = action_in_force(policy.action)
            title = action.title_in(active_language()) if action else policy.action
            messages.warning(request, labelled(title, problem))


def _invite(request: HttpRequest, user: User, workspace: Workspace) -> bool:
    """Mail the link, tell the inviter whether that worked, and return whether the mail server accepted it."""
    try:
        send_invitation(user, workspace, inviter=person_of(request))
    except (SMTPException, OSError) as error:
        # The error's text may contain addresses.
        logger.warning("console: an invitation was not mailed (%s); see `manage.py doctor`", type(error).__name__)
        messages.warning(
            request, gettext("The e-mail could not be sent. Ask this person to request a link on the login page.")
        )
        return False
    if has_mail_server():
        messages.info(
            request, gettext("An e-mail with a link to set a password was sent to {email}.").format(email=user.email)
        )
    return True
