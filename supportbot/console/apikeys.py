"""API keys: shown once, revoked at once, limited to their scopes."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from supportbot.accounts.models import ApiKey, Workspace
from supportbot.accounts.principals import SCOPES
from supportbot.accounts.services import issue_api_key, revoke_api_key
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import needs, person_of
from supportbot.console.secrets import remember, remembered, show_once
from supportbot.console.words import tag, when

RIGHT = "team:write"
LONGEST_LIFE: Final = timedelta(days=36_525)  # far below the year 9999, which overflows in some time zones
ALLOWS: Final = {
    "actions:approve": "approve requests, as a person named in the action's rules",
    "actions:read": "read actions, their rules and requests",
    "channels:write": "create and change channels",
    "conversations:read": "read all conversations",
    "conversations:write": "reply and write notes",
    "customers:read": "read and export customer data",
    "kb:read": "search and read articles",
    "kb:write": "write, publish, archive and import articles",
    "tickets:read": "read the ticket queue",
    "tickets:write": "claim, assign, return and resolve tickets",
}


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {ALLOWS[scope]}") for scope in sorted(SCOPES)], widget=forms.CheckboxSelectMultiple
    )
    # Never as a colleague: with another name people could approve their own requests.
    acts_as_me = forms.BooleanField(
        required=False,
        label="Acts as me",
        help_text="Replies and approvals carry your name. Off: the key acts as a service.",
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Ends",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="In the workspace's time zone. Empty: valid until revoked.",
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "expires_at"]

    def clean_expires_at(self) -> Any:
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= now():
            raise ValidationError("This time is in the past. Choose a later one, or leave it empty.")
        if moment is not None and moment > now() + LONGEST_LIFE:
            raise ValidationError("This is over a hundred years from now. Choose an earlier time, or leave it empty.")
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin):
    one, many = "API key", "API keys"
    none_yet = "Programs need a key to call the API."
    view_right = change_right = RIGHT
    can_add = True
    form = ApiKeyForm
    change_form_template = "console/apikey.html"
    list_display = ["name", "prefix", "acts_as", "state", "last_used", "made"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix"]
    ordering = ["-created_at"]

    @admin.display(description="Acts as")
    def acts_as(self, key: ApiKey) -> str:
        return key.user.display_name if key.user else "A service"

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at is not None:
            return tag("", "Revoked")
        return tag("ok", "Live") if key.is_live else tag("", "Ended")

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return when(key.last_used_at)

    @admin.display(description="Made", ordering="created_at")
    def made(self, key: ApiKey) -> str:
        return when(key.created_at)

    @admin.display(description="Ends")
    def ends(self, key: ApiKey) -> str:
        return when(key.expires_at, otherwise="when revoked")

    @admin.display(description="Revoked")
    def revoked(self, key: ApiKey) -> str:
        return when(key.revoked_at)

    @admin.display(description="Scopes")
    def granted(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["name", "scopes", "acts_as_me", "expires_at"]
        return ["name", "prefix", "acts_as", "granted", "state", "ends", "revoked", "made", "last_used"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and bool(super().has_change_permission(request))  # scopes cannot be changed later

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(require_POST(self.revoke))
        return [path("<uuid:key_id>/revoke/", revoke, name="apikey-revoke"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ApiKeyForm, change: bool) -> None:
        told = form.cleaned_data
        new = issue_api_key(
            Workspace.objects.get(pk=needs(request, RIGHT).workspace_id),
            told["name"],
            scopes=told["scopes"],
            user=person_of(request) if told["acts_as_me"] else None,
            expires_at=told["expires_at"],
        )
        obj.pk, obj.prefix = new.row.pk, new.row.prefix
        remember(request, new.plain)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return show_once(
            self.admin_site,
            request,
            title=f"API key {obj.name}",
            secret=remembered(request),
            purpose="Programs send it as Authorization: Bearer. Treat it like a password.",
            back=("admin:accounts_apikey_change", obj.pk),
        )

    def revoke(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        needs(request, RIGHT)
        key = get_object_or_404(ApiKey.objects, pk=key_id)
        revoke_api_key(key.prefix)
        messages.success(request, f"{key.name} is revoked: programs that use it are refused from now on.")
        return redirect("admin:accounts_apikey_change", key.pk)
