"""Channels: the code that embeds the widget, the pages that may embed it, and the keys that sign customers'
identities.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.dates import WEEKDAYS
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from supportbot.accounts.branding import (
    colour_validator,
    personalised_greeting,
    theme_colours,
    validate_greetings,
    validate_suggestion_lines,
    validate_suggestions,
)
from supportbot.accounts.business_hours import DAYS, hours_of, validate_hours
from supportbot.accounts.channels import change_channel, channel_with_id, create_channel, snippet
from supportbot.accounts.identity_keys import add_identity_key, revoke_identity_key
from supportbot.accounts.logos import logo_path
from supportbot.accounts.models import Channel, IdentityKey, Workspace
from supportbot.chat.notices import ai_notice
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.fields import ByLanguage, ColourInput, LanguageCode, Lines, Origins
from supportbot.console.new_secret import remember, remembered, show_once
from supportbot.console.request_context import needs, person_of, workspace_here
from supportbot.formats import text_direction
from supportbot.handoff.tickets.notices import TEAM_HOURS
from supportbot.language.detection import base_language
from supportbot.releases.selectors import current
from supportbot.team_formats import language_name
from supportbot.translation import language_of, text_in

RIGHT = "channels:write"
COLUMNS = (
    "name",
    "allowed_origins",
    "locale",
    "greeting",
    "assistant_name",
    "accent",
    "position",
    "privacy_url",
    "confirms_on_hosted_page",
    "is_live",
)
HOURS = ("days", "opens", "closes")
CLOCK = {"type": "time", "class": "field"}
CREATE_FIELDS = ("name", "allowed_origins", "locale", "greeting")  # the arguments of `create_channel`


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    allowed_origins = Origins(
        required=False,
        label=_("Allowed pages"),
        help_text=_("One origin per line, such as https://shop.example. The chat does not open on other pages."),
    )

    locale = LanguageCode(
        label=_("Language"),
        initial="en",
        help_text=_("The chat's language if the page does not set one. Type its name, or a code such as en or de."),
    )
    suggestion_lines = Lines(
        required=False,
        label=_("Suggested questions"),
        help_text=_("Up to three, one per line, in the channel's language."),
    )
    other_greetings = ByLanguage(
        required=False,
        label=_("Greetings in other languages"),
        help_text=_("One per line, starting with the language code and a colon, for example “de: Guten Tag”."),
    )
    other_suggestions = ByLanguage(
        required=False,
        label=_("Suggested questions in other languages"),
        help_text=_("One per line, starting with the language code and a colon; up to three per language."),
    )
    accent = forms.CharField(
        required=False,
        validators=[colour_validator],
        widget=ColourInput(),
        label=_("Colour"),
        help_text=_("Made lighter or darker where text would be hard to read. Leave empty for the workspace's colour."),
    )
    position = forms.ChoiceField(
        required=False,
        label=_("Position"),
        choices=Channel.Position.choices,
        widget=forms.Select(attrs={"class": "field"}),
    )
    days = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        label=_("Days on which the team answers"),
        choices=lambda: [(day, WEEKDAYS[day]) for day in DAYS],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Shown to customers who ask for a person. To show no hours, choose no days."),
    )
    opens = forms.TimeField(required=False, label=_("From"), widget=forms.TimeInput(CLOCK, "%H:%M"))
    closes = forms.TimeField(required=False, label=_("Until"), widget=forms.TimeInput(CLOCK, "%H:%M"))

    class Meta:
        model = Channel
        fields = COLUMNS
        labels = {
            "name": _("Name"),
            "greeting": _("Greeting"),
            "is_live": _("Live"),
            "assistant_name": _("Name of the assistant"),
            "privacy_url": _("Privacy page"),
            "confirms_on_hosted_page": _("Confirm only on the hosted page"),
        }
        help_texts = {
            "assistant_name": _("What the assistant is called in the chat."),
            "confirms_on_hosted_page": _(
                "Actions are confirmed only on the hosted chat page, never on your own pages."
            ),
            "privacy_url": _("Linked from the chat's menu. Leave empty to use the workspace's page."),
            "greeting": _(
                "The first line of a chat; {name} is the customer's first name. Leave empty for the default greeting."
            ),
            "is_live": _("When off, the chat does not open anywhere. This takes effect immediately."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel = self.instance
        self.initial["suggestion_lines"] = channel.suggestions_in(channel.locale)
        self.initial["other_greetings"] = {code: [text] for code, text in channel.greetings.items()}
        self.initial["other_suggestions"] = self._suggestions_elsewhere()
        self.initial |= channel.hours

    def _suggestions_elsewhere(self) -> dict[str, list[str]]:
        return {code: lines for code, lines in self.instance.suggestions.items() if code != self.instance.locale}

    def clean_name(self) -> str:
        """Refuse a name that another channel already has.

        People could not tell the two apart, and submitting the form again would create a duplicate.
        """
        name = str(self.cleaned_data["name"])
        if Channel.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(gettext("Another channel already has this name. Choose a different one."))
        return name

    def clean_suggestion_lines(self) -> Any:
        lines = self.cleaned_data["suggestion_lines"]
        validate_suggestion_lines(lines)
        return lines

    def clean_position(self) -> str:
        """Return the chosen corner, or the current one if the form lacks this field."""
        return str(self.cleaned_data["position"] or self.instance.position)

    def clean_other_greetings(self) -> Any:
        by_language = self.cleaned_data["other_greetings"]
        if any(len(lines) > 1 for lines in by_language.values()):
            raise forms.ValidationError(gettext("Enter one greeting per language."))
        greetings = {code: lines[0] for code, lines in by_language.items()}
        validate_greetings(greetings)
        return greetings

    def clean_other_suggestions(self) -> Any:
        validate_suggestions(self.cleaned_data["other_suggestions"])
        return self.cleaned_data["other_suggestions"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        hours = self.hours()
        try:
            validate_hours(hours)
        except forms.ValidationError as error:
            self.add_error(next((name for name in HOURS if not hours[name]), "closes"), error)
        return cleaned

    def hours(self) -> dict[str, Any]:
        """Return the opening hours in their stored format."""
        cleaned = self.cleaned_data
        days, times = cleaned.get("days") or [], {name: cleaned.get(name) for name in HOURS[1:]}
        # Deselecting all days removes a channel's hours. For a channel without hours, times without days are an error.
        if not days and (self.instance.hours or not any(times.values())):
            return {}
        return {"days": sorted(days), **{name: time.strftime("%H:%M") if time else "" for name, time in times.items()}}

    def looks(self) -> dict[str, Any]:
        """Return the values of those columns whose form fields are named differently."""
        cleaned, own = self.cleaned_data, self.cleaned_data.get("suggestion_lines") or []
        locale = cleaned.get("locale") or self.instance.locale
        suggestions = {**(cleaned.get("other_suggestions") or {}), **({locale: own} if own else {})}
        return {"greetings": cleaned.get("other_greetings") or {}, "suggestions": suggestions, "hours": self.hours()}

    def changes(self) -> dict[str, Any]:
        """Return the changed values by column."""
        values = {name: self.cleaned_data[name] for name in self.changed_data if name in COLUMNS}
        looks = self.looks()
        return {**values, **{name: looks[name] for name in looks if looks[name] != getattr(self.instance, name)}}


@admin.register(Channel)
class ChannelAdmin(ScopedAdmin):
    many = _("Channels")
    new = _("New channel")
    none_yet = _("A channel embeds the chat in a site. Create one to get the embed code.")
    view_right = change_right = RIGHT
    can_add = True
    form = ChannelForm
    change_form_template = "console/channel.html"
    fieldsets = (
        (None, {"fields": ["name", "allowed_origins", "locale"]}),
        (_("Appearance"), {"fields": ["assistant_name", "accent", "position"]}),
        (_("Texts"), {"fields": ["greeting", "suggestion_lines", "other_greetings", "other_suggestions"]}),
        (_("Hours"), {"fields": ["days", "opens", "closes"]}),
        (_("Rules"), {"fields": ["privacy_url", "confirms_on_hosted_page", "is_live"]}),
    )
    list_display = ["name", "key", "language", "state", "made"]
    search_fields = ["name", "key"]
    ordering = ["name", "pk"]

    @admin.display(description=_("Language"), ordering="locale")
    def language(self, channel: Channel) -> str:
        return language_name(channel.locale)

    @admin.display(description=_("State"))
    def state(self, channel: Channel) -> SafeString:
        return tag("ok", gettext("Live")) if channel.is_live else tag("", gettext("Off"))

    @admin.display(description=_("Created"), ordering="created_at")
    def made(self, channel: Channel) -> str:
        return moment_in_words(channel.created_at)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(require_POST(self.draw)), name="channel-preview"),
            path("<uuid:channel_id>/keys/", wrap(require_POST(self.add_key)), name="channel-key-add"),
            path("<uuid:channel_id>/keys/<str:kid>/", wrap(require_POST(self.revoke_key)), name="channel-key-revoke"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool) -> None:
        asked, actor = form.changes(), actor_of(person_of(request))
        if change:
            change_channel(obj.pk, actor=actor, **asked)
            return
        workspace = Workspace.objects.get(pk=needs(request, RIGHT).workspace_id)
        at_once = {name: value for name, value in asked.items() if name in CREATE_FIELDS}
        new = create_channel(workspace, **{"name": obj.name, **at_once}, actor=actor)
        if later := {name: value for name, value in asked.items() if name not in CREATE_FIELDS}:
            change_channel(new.channel.pk, **later)
        obj.pk, obj.key = new.channel.pk, new.channel.key
        remember(request, new.identity_secret)

    def draw(self, request: HttpRequest) -> HttpResponse:
        """Return a preview that uses the valid values in the form."""
        needs(request, RIGHT)
        form = ChannelForm(request.POST, instance=Channel())
        form.is_valid()
        # A valid form has already set its columns on the instance; from an invalid form, use only the valid values.
        typed = {name: value for name, value in form.cleaned_data.items() if name in COLUMNS}
        looks = {**form.looks(), **({} if form.errors.keys().isdisjoint(HOURS) else {"hours": {}})}
        channel = Channel(**typed, **looks)
        return render(request, "console/studio.html", {"chat": preview(channel, workspace_here(request))})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Give a new channel's form the workspace's settings as initial values."""
        workspace = workspace_here(request)
        site = urlsplit(workspace.site_url)
        origins = [f"{site.scheme}://{site.netloc}"] if site.netloc else []
        return {"name": workspace.name, "locale": workspace.locale, "allowed_origins": origins}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        shown = obj or Channel(**{name: value for name, value in form.initial.items() if name in COLUMNS})
        workspace = workspace_here(request)
        context["chat"] = preview(shown, workspace)
        if workspace.accent and "accent" in form.fields:  # used by a channel without a colour of its own
            form.fields["accent"].widget.attrs["placeholder"] = workspace.accent
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None) -> HttpResponse:
        title = gettext("The channel {channel} is ready").format(channel=obj.name)
        return self._shown_once(request, obj, title, remembered(request))

    def page_context(self, request: HttpRequest, row: Channel) -> dict[str, Any]:
        keys = list(IdentityKey.objects.filter(channel=row).defer("secret").order_by("created_at", "pk"))
        live = sum(key.revoked_at is None for key in keys)
        return {"snippet": snippet(row), "keys": keys, "live_keys": live, "look": theme_colours(row.accent)}

    def add_key(self, request: HttpRequest, channel_id: UUID) -> HttpResponse:
        """Add a key, so that the merchant's server can switch to it before the old key is revoked."""
        needs(request, RIGHT)
        channel = channel_with_id(channel_id)
        new = add_identity_key(channel, actor=actor_of(person_of(request)))
        title = gettext("Key {key} of {channel}").format(key=new.kid, channel=channel.name)
        return self._shown_once(request, channel, title, new.secret)

    def revoke_key(self, request: HttpRequest, channel_id: UUID, kid: str) -> HttpResponse:
        needs(request, RIGHT)
        channel = channel_with_id(channel_id)
        revoke_identity_key(channel, kid, actor=actor_of(person_of(request)))
        messages.success(request, gettext("Key {kid} is revoked. Tokens signed with it are refused.").format(kid=kid))
        return redirect("admin:accounts_channel_change", channel.pk)

    def _shown_once(self, request: HttpRequest, channel: Channel, title: str, secret: str) -> TemplateResponse:
        return show_once(
            self.admin_site,
            request,
            title=title,
            secret=secret,
            purpose=gettext(
                "Your server uses this secret to sign customers' identities (docs/identity.md). Never put it in a page."
            ),
            back=("admin:accounts_channel_change", channel.pk),
            snippet=snippet(channel),
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What the customer sees. `colours` is JSON for the page's script."""

    name: str
    logo: str
    locale: str
    direction: str
    greeting: str
    notice: str
    suggestions: tuple[str, ...]
    hours: str
    colours: str
    is_at_start: bool


def preview(channel: Channel, workspace: Workspace) -> Preview:
    """Return how a channel, whether stored or not, greets a visitor in its own language."""
    document = current().document
    locale = channel.locale or workspace.locale
    texts = language_of(base_language(locale))
    hours = hours_of(channel.hours)
    colours = theme_colours(channel.accent or workspace.accent)
    return Preview(
        name=channel.assistant_name or document.name or channel.name or workspace.name,
        logo=logo_path(workspace),
        locale=locale,
        direction=text_direction(texts),
        greeting=personalised_greeting(channel.greeting_in(locale, otherwise=document.greetings), ""),
        notice=ai_notice(locale),
        suggestions=tuple(channel.suggestions_in(locale)),
        hours=text_in(texts, TEAM_HOURS, hours=hours.in_words(texts, workspace.zone)) if hours else "",
        colours=json.dumps(colours.get("light", {})),
        is_at_start=channel.position == Channel.Position.START,
    )
