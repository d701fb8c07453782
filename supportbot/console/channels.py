"""Channels: embedding the widget, the allowed pages, and the keys that sign customers' identities."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from supportbot.accounts.branding import theme_colours, validate_suggestions
from supportbot.accounts.channels import change_channel, channel_with_id
from supportbot.accounts.embedding import snippet
from supportbot.accounts.identitykeys import add_identity_key, revoke_identity_key
from supportbot.accounts.models import Channel, IdentityKey, Workspace
from supportbot.accounts.services import create_channel
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import needs
from supportbot.console.fields import LanguageCode, Lines, Origins
from supportbot.console.secrets import remember, remembered, show_once
from supportbot.console.words import tag, when

RIGHT = "channels:write"
CREATE_FIELDS = ("name", "allowed_origins", "locale", "greeting")  # what `create_channel` takes


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    allowed_origins = Origins(
        required=False,
        label="Allowed pages",
        help_text="One origin per line, such as https://shop.example. The chat does not open on other pages.",
    )

    locale = LanguageCode(
        label="Language",
        initial="en",
        help_text="A code such as en or de: the chat's language if the page does not set one.",
    )
    suggestion_lines = Lines(
        required=False, label="Suggested questions", help_text="Up to three, one per line, in the channel's language."
    )

    class Meta:
        model = Channel
        fields = [
            "name",
            "allowed_origins",
            "locale",
            "greeting",
            "assistant_name",
            "accent",
            "privacy_url",
            "confirms_on_hosted_page",
            "is_live",
        ]
        labels = {
            "is_live": "Answers",
            "assistant_name": "Name of the assistant",
            "accent": "Colour",
            "privacy_url": "Privacy page",
            "confirms_on_hosted_page": "Confirm only on the hosted page",
        }
        help_texts = {
            "accent": "Such as #1f5b45. It is adjusted where needed to be legible. Empty: the default colour.",
            "privacy_url": "Linked from the chat's menu.",
            "greeting": "The first line of a chat; {name} is the customer's first name. Empty: the default greeting.",
            "is_live": "Off: the chat stops opening anywhere at once.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["suggestion_lines"] = self.instance.suggestions_in(self.instance.locale)

    def clean_name(self) -> str:
        """Refuse a name that another channel has: they would be confused, and a reload would create a duplicate."""
        name = str(self.cleaned_data["name"])
        if Channel.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another channel has this name. Choose a different one.")
        return name

    def clean_suggestion_lines(self) -> Any:
        lines = self.cleaned_data["suggestion_lines"]
        validate_suggestions({"en": lines})
        return lines

    def changes(self) -> dict[str, Any]:
        """Return the changed values by column name."""
        told = {name: self.cleaned_data[name] for name in self.changed_data}
        if "suggestion_lines" in told:
            told["suggestions"] = {**self.instance.suggestions, self.instance.locale: told.pop("suggestion_lines")}
        return told


@admin.register(Channel)
class ChannelAdmin(ScopedAdmin):
    one, many = "channel", "Channels"
    none_yet = "A channel embeds the chat in a site. Create one to get the embed code."
    view_right = change_right = RIGHT
    can_add = True
    form = ChannelForm
    change_form_template = "console/channel.html"
    fields = [
        "name",
        "allowed_origins",
        "locale",
        "greeting",
        "suggestion_lines",
        "assistant_name",
        "accent",
        "privacy_url",
        "confirms_on_hosted_page",
        "is_live",
    ]
    list_display = ["name", "key", "language", "state", "made"]
    search_fields = ["name", "key"]
    ordering = ["name", "pk"]

    @admin.display(description="Language", ordering="locale")
    def language(self, channel: Channel) -> str:
        return channel.locale

    @admin.display(description="State")
    def state(self, channel: Channel) -> SafeString:
        return tag("ok", "Live") if channel.is_live else tag("", "Off")

    @admin.display(description="Made", ordering="created_at")
    def made(self, channel: Channel) -> str:
        return when(channel.created_at)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:channel_id>/keys/", wrap(require_POST(self.add_key)), name="channel-key-add"),
            path("<uuid:channel_id>/keys/<str:kid>/", wrap(require_POST(self.revoke_key)), name="channel-key-revoke"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool) -> None:
        asked = form.changes()
        if change:
            change_channel(obj.pk, **asked)
            return
        workspace = Workspace.objects.get(pk=needs(request, RIGHT).workspace_id)
        new = create_channel(workspace, **{"name": obj.name, **{k: v for k, v in asked.items() if k in CREATE_FIELDS}})
        if later := {name: value for name, value in asked.items() if name not in CREATE_FIELDS}:
            change_channel(new.channel.pk, **later)
        obj.pk, obj.key = new.channel.pk, new.channel.key
        remember(request, new.identity_secret)

    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None) -> HttpResponse:
        return self._shown_once(request, obj, "1", remembered(request))

    def page_context(self, request: HttpRequest, row: Channel) -> dict[str, Any]:
        keys = list(IdentityKey.objects.filter(channel=row).defer("secret").order_by("created_at", "pk"))
        live = sum(key.revoked_at is None for key in keys)
        return {"snippet": snippet(row.key), "keys": keys, "live_keys": live, "look": theme_colours(row.accent)}

    def add_key(self, request: HttpRequest, channel_id: UUID) -> HttpResponse:
        """Add a key: the merchant's server switches to it, then the old one is revoked."""
        needs(request, RIGHT)
        channel = channel_with_id(channel_id)
        new = add_identity_key(channel)
        return self._shown_once(request, channel, new.kid, new.secret)

    def revoke_key(self, request: HttpRequest, channel_id: UUID, kid: str) -> HttpResponse:
        needs(request, RIGHT)
        channel = channel_with_id(channel_id)
        revoke_identity_key(channel, kid)
        messages.success(request, f"Key {kid} is revoked. Tokens signed with it are refused.")
        return redirect("admin:accounts_channel_change", channel.pk)

    def _shown_once(self, request: HttpRequest, channel: Channel, kid: str, secret: str) -> TemplateResponse:
        return show_once(
            self.admin_site,
            request,
            title=f"Key {kid} of {channel.name}",
            secret=secret,
            purpose="Your server signs customers' identities with it (docs/identity.md). Never put it in a page.",
            back=("admin:accounts_channel_change", channel.pk),
        )
