"""The workspace's own facts."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.services import add_member, create_workspace
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import person_of
from supportbot.console.fields import LanguageCode


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    locale = LanguageCode(
        label="Language", help_text="Of new articles and channels, where they name none: a code such as en or de."
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        help_text="A day of the limits begins at midnight there.",
    )

    class Meta:
        model = Workspace
        fields = ["name", "locale", "timezone"]


@admin.register(Workspace)
class WorkspaceAdmin(ScopedAdmin):
    one, many = "workspace", "Workspace"
    view_right = change_right = "team:write"
    form = WorkspaceForm
    list_display = ["name", "slug", "language", "zone", "currency"]

    @admin.display(description="Language", ordering="locale")
    def language(self, workspace: Workspace) -> str:
        return workspace.locale

    @admin.display(description="Time zone", ordering="timezone")
    def zone(self, workspace: Workspace) -> str:
        return workspace.timezone

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A new workspace is the operator's to make; a role in one says nothing about the house."""
        return bool(getattr(request.user, "is_superuser", False)) and self.has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "slug", "locale", "timezone", "currency"] if obj else ["name", "locale", "timezone"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["slug", "currency"] if obj else []  # addresses and money records were made with these

    def save_model(self, request: HttpRequest, obj: Workspace, form: WorkspaceForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "locale", "timezone"])
            return
        made = create_workspace(obj.name, locale=obj.locale)
        made.timezone = obj.timezone
        made.save(update_fields=["timezone"])
        add_member(made, person_of(request), Membership.Role.ADMIN)
        obj.pk, obj.slug, obj.currency = made.pk, made.slug, made.currency
