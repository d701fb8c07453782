"""API keys. A key is shown only once, grants only its scopes, and stops working as soon as it is revoked."""

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
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from supportbot.accounts.api_keys import issue_api_key, revoke_api_key
from supportbot.accounts.models import ApiKey, Workspace
from supportbot.accounts.principals import SCOPES
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.new_secret import remember, remembered, show_once
from supportbot.console.request_context import needs, person_of

RIGHT = "team:write"
LONGEST_LIFE: Final = timedelta(days=36_525)  # 100 years: dates near the year 9999 would overflow in some time zones
ALLOWS: Final = {
    "actions:approve": gettext_noop("approve requests, as a person named in the action's rules"),
    "actions:read": gettext_noop("read actions, their rules and requests"),
    "channels:write": gettext_noop("create and change channels"),
    "conversations:read": gettext_noop("read all conversations"),
    "conversations:write": gettext_noop("reply and write notes"),
    "costs:read": gettext_noop("read the cost of conversations"),
    "customers:read": gettext_noop("read and export customer data"),
    "evals:read": gettext_noop("read suites, runs and their results"),
    "evals:write": gettext_noop("start, cancel and continue runs"),
    "kb:read": gettext_noop("search and read articles"),
    "kb:write": gettext_noop("write, publish, archive and import articles"),
    "mcp:customers": gettext_noop("act over MCP for customers whose identity token is sent"),
    "mcp:use": gettext_noop("search and ask over MCP, in public articles"),
    "releases:read": gettext_noop("read releases"),
    "releases:write": gettext_noop("write, publish and restore releases"),
    "releases:override": gettext_noop("publish despite failing gates"),
    "tickets:read": gettext_noop("read the ticket queue"),
    "tickets:write": gettext_noop("claim, assign, return and resolve tickets"),
    "webhooks:read": gettext_noop("read webhooks and their deliveries"),
    "webhooks:write": gettext_noop("create, change and delete webhooks, and send deliveries again"),
    "workspace:write": gettext_noop("change the workspace's name, language, colour and links"),
}


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    name = forms.CharField(max_length=120, label=_("Name"))
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=lambda: [(scope, f"{scope}: {gettext(ALLOWS[scope])}") for scope in sorted(SCOPES)],
        widget=forms.CheckboxSelectMultiple,
    )
    # A key cannot act as a colleague, because people could then approve their own requests under that name.
    acts_as_me = forms.BooleanField(
        required=False,
        label=_("Acts as me"),
        help_text=_("Replies and approvals carry your name. When off, the key acts as a service."),
    )
    expires_at = forms.DateTimeField(
        required=False,
        label=_("Expires"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=_("In the workspace's time zone. Leave empty to keep it valid until revoked."),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "expires_at"]

    def clean_expires_at(self) -> Any:
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= now():
            raise ValidationError(gettext("This time is in the past. Choose a later one, or leave it empty."))
        if moment is not None and moment > now() + LONGEST_LIFE:
            raise ValidationError(
                gettext("This is over a hundred years from now. Choose an earlier time, or leave it empty.")
            )
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin):
    many = _("API keys")
    new = _("New API key")
    none_yet = _("Programs need a key to call the API.")
    view_right = change_right = RIGHT
    can_add = True
    form = ApiKeyForm
    change_form_template = "console/apikey.html"
    list_display = ["name", "prefix", "acts_as", "state", "last_used", "made"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix"]
    ordering = ["-created_at"]

    @admin.display(description=_("Acts as"))
    def acts_as(self, key: ApiKey) -> str:
        return key.user.display_name if key.user else gettext("A service")

    @admin.display(description=_("State"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at is not None:
            return tag("", gettext("Revoked"))
        return tag("ok", gettext("Active")) if key.is_live else tag("", gettext("Expired"))

    @admin.display(description=_("Last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return moment_in_words(key.last_used_at)

    @admin.display(description=_("Created"), ordering="created_at")
    def made(self, key: ApiKey) -> str:
        return moment_in_words(key.created_at)

    @admin.display(description=_("Expires"))
    def ends(self, key: ApiKey) -> str:
        return moment_in_words(key.expires_at, otherwise=gettext("only when revoked"))

    @admin.display(description=_("Revoked"))
    def revoked(self, key: ApiKey) -> str:
        return moment_in_words(key.revoked_at)

    @admin.display(description=_("Scopes"))
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
        values = form.cleaned_data
        new = issue_api_key(
            Workspace.objects.get(pk=needs(request, RIGHT).workspace_id),
            values["name"],
            scopes=values["scopes"],
            user=person_of(request) if values["acts_as_me"] else None,
            expires_at=values["expires_at"],
            actor=actor_of(person_of(request)),
        )
        obj.pk, obj.prefix = new.row.pk, new.row.prefix
        remember(request, new.plain)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return show_once(
            self.admin_site,
            request,
            title=gettext("API key {name}").format(name=obj.name),
            secret=remembered(request),
            purpose=gettext("Programs send it as Authorization: Bearer. Treat it like a password."),
            back=("admin:accounts_apikey_change", obj.pk),
        )

    def revoke(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        needs(request, RIGHT)
        key = get_object_or_404(ApiKey.objects, pk=key_id)
        revoke_api_key(key.prefix, actor=actor_of(person_of(request)))
        messages.success(
            request, gettext("{name} is revoked: programs that use it are refused from now on.").format(name=key.name)
        )
        return redirect("admin:accounts_apikey_change", key.pk)
