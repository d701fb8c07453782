"""Connections: the APIs that defined actions call. Secrets are entered here, and no page ever shows them again."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from actions.connections import services
from actions.connections.auth import Auth
from actions.connections.auth_kinds import KINDS, Kind, Setting
from actions.connections.models import Connection, Environment
from actions.connections.selectors import connection_with_id, listed_connections
from supportbot.connection_test_limit import TooManyTests
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.display import error_text, moment_in_words, tag
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput

RIGHT: Final = "connections:write"
SETTING: Final = "set_"  # prefix of the fields for settings, whose names may equal those of columns


class SecretLines(forms.Textarea):
    """A multi-line field whose text is never sent back to the page, like Django's one-line password input."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The base of the forms for all kinds of authentication. `form_of` adds the settings and the secret of a kind."""

    kind: Kind

    class Meta:
        model = Connection
        fields = ["name", "environment", "base_url", "test_path"]
        labels = {"name": _("Name"), "base_url": _("Address"), "test_path": _("Test path")}
        help_texts = {
            "name": _("The connection's name in definitions, such as shop. It cannot be changed later."),
            "base_url": _("The base URL of the API, such as https://shop.example/api."),
            "test_path": _(
                "The path that a test requests with GET, such as /health. Choose one that requires the "
                "connection's credentials."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.settings
        self.initial.update({SETTING + name: value for name, value in stored.items()})

    def settings(self) -> dict[str, str]:
        return {one.name: str(self.cleaned_data.get(SETTING + one.name, "")) for one in self.kind.settings}

    def draft(self) -> services.Draft:
        cleaned = self.cleaned_data
        return services.Draft(
            name=str(cleaned.get("name", self.instance.name)),
            environment=str(cleaned.get("environment", self.instance.environment)),
            auth=self.kind.auth,
            base_url=str(cleaned.get("base_url", "")),
            settings=self.settings(),
            secret=str(cleaned.get("secret", "")),
            test_path=str(cleaned.get("test_path", "")),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.instance._state.adding:
            wrong = services.problems_of_new(self.draft())
        else:
            wrong = services.problems_of_change(connection_with_id(self.instance.pk), self.draft())
        for name, texts in wrong.items():
            field = name if name in self.fields else SETTING + name
            if field not in self.errors:  # the field's own errors come first
                self.add_error(field if field in self.fields else None, texts)
        return cleaned


def form_of(kind: Kind, *, is_new: bool) -> type[ConnectionForm]:
    """Return the form for connections of this kind."""
    fields: dict[str, Any] = {SETTING + one.name: _setting_field(one) for one in kind.settings}
    if kind.secret_label:
        fields["secret"] = secret_field(kind, is_new=is_new)
    if is_new:
        fields["environment"] = forms.ChoiceField(label=_("Environment"), choices=Environment.choices)
    columns = [name for name in ConnectionForm.Meta.fields if is_new or name not in ("name", "environment")]
    meta = type("Meta", (ConnectionForm.Meta,), {"fields": columns})
    return type("ConnectionForm", (ConnectionForm,), {**fields, "kind": kind, "Meta": meta})


def _setting_field(setting: Setting) -> forms.Field:
    about: dict[str, Any] = {"label": setting.label, "help_text": setting.help_text, "initial": setting.default}
    if setting.choices:
        return forms.ChoiceField(choices=[(one, one) for one in setting.choices], **about)
    return forms.CharField(required=setting.is_required, strip=False, **about)


def secret_field(kind: Kind, *, is_new: bool) -> forms.Field:
    widget: forms.Widget = SecretLines(attrs={"rows": 8}) if kind.is_long else forms.PasswordInput()
    widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
    kept = _("Leave empty to keep the current secret. Enter it again if calls will go to a different host.")
    return forms.CharField(
        required=is_new, widget=widget, label=kind.secret_label, help_text=kind.secret_help if is_new else kept
    )


class RotateForm(forms.Form):
    secret = forms.CharField()
    keep_hours = forms.IntegerField(required=False, min_value=0, max_value=services.MAX_KEPT_HOURS)


@admin.register(Connection)
class ConnectionAdmin(ScopedAdmin):
    many = _("Connections")
    new = _("New connection")
    none_yet = _("A connection is an API that your defined actions can call. Create one to use it in a definition.")
    view_right = change_right = RIGHT
    can_add = can_delete = True
    change_form_template = "console/connection.html"
    list_display = ["name", "place", "address", "authentication", "secret_age"]
    search_fields = ["name", "base_url"]
    ordering = ["name", "environment"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return of_this_workspace(listed_connections())

    @admin.display(description=_("Address"), ordering="base_url")
    def address(self, connection: Connection) -> str:
        return connection.base_url

    @admin.display(description=_("Environment"), ordering="environment")
    def place(self, connection: Connection) -> SafeString:
        is_live = connection.environment == Environment.LIVE
        return tag("ok" if is_live else "", str(Environment(connection.environment).label))

    @admin.display(description=_("Authentication"), ordering="auth")
    def authentication(self, connection: Connection) -> str:
        return str(Auth(connection.auth).label)

    @admin.display(description=_("Secret set"), ordering="secret_changed_at")
    def secret_age(self, connection: Connection) -> str:
        has_none = not KINDS[Auth(connection.auth)].secret_label
        return gettext("none") if has_none else moment_in_words(connection.secret_changed_at)

    @admin.display(description=_("Old secret valid until"))
    def old_secret(self, connection: Connection) -> str:
        return moment_in_words(connection.previous_until, otherwise="–")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = form_of(_kind_of(request, obj), is_new=obj is None)
        return super().get_form(request, obj, change, **{**kwargs, "form": form, "fields": form.Meta.fields})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kind = _kind_of(request, obj)
        settings = [SETTING + one.name for one in kind.settings]
        secret = ["secret"] if kind.secret_label else []
        first = ["name", "environment"] if obj is None else ["name", "place"]
        shown: list[Any] = [(None, {"fields": [*first, "base_url", "test_path"]})]
        if settings or secret:
            about = {"fields": [*settings, *secret], "description": kind.about}
            shown.append((str(kind.auth.label), about))
        return shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else ["name", "place"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:connection_id>/rotate/", wrap(require_POST(self.rotate)), name="connection-rotate"),
            path("<uuid:connection_id>/test/", wrap(require_POST(self.test)), name="connection-test"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the kind of authentication first, because each kind has its own form."""
        if request.GET.get("auth") in Auth.values or not self.has_add_permission(request):
            page: HttpResponse = super().add_view(request, form_url, extra_context)
            return page
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "title": self.new}
        context = {**frame, "kinds": KINDS.values()}
        return TemplateResponse(request, "console/connection_kinds.html", context)

    def save_model(self, request: HttpRequest, obj: Connection, form: ConnectionForm, change: bool) -> None:
        actor, draft = actor_of(person_of(request)), form.draft()
        if not change:
            obj.pk = services.create(draft, actor=actor).pk
            return
        services.update(
            obj.pk,
            actor=actor,
            base_url=draft.base_url,
            settings=draft.settings,
            test_path=draft.test_path,
            secret=draft.secret,
        )

    def delete_model(self, request: HttpRequest, obj: Connection) -> None:
        services.remove(obj.pk, actor=actor_of(person_of(request)))

    def page_context(self, request: HttpRequest, row: Connection) -> dict[str, Any]:
        kind = KINDS[Auth(row.auth)]
        return {"kind": kind, "secret_age": self.secret_age(row), "old_secret": self.old_secret(row)}

    def rotate(self, request: HttpRequest, connection_id: UUID) -> HttpResponse:
        needs(request, RIGHT)
        found, form = connection_with_id(connection_id), RotateForm(request.POST)
        if not form.is_valid():
            messages.error(
                request, gettext("Nothing was changed. Enter the new secret and a number of hours from 0 to 720.")
            )
            return redirect("admin:actions_connection_change", found.pk)
        hours = form.cleaned_data["keep_hours"] or 0
        actor = actor_of(person_of(request))
        try:
            services.rotate(found.pk, form.cleaned_data["secret"], keep_hours=hours, actor=actor)
        except InvalidInput as refusal:
            messages.error(request, error_text(refusal))
        else:
            messages.success(request, gettext("The secret of %s was replaced.") % found)
        return redirect("admin:actions_connection_change", found.pk)

    def test(self, request: HttpRequest, connection_id: UUID) -> HttpResponse:
        needs(request, RIGHT)
        found = connection_with_id(connection_id)
        try:
            report = services.test(found, actor=actor_of(person_of(request)))
        except TooManyTests as refusal:
            messages.error(request, error_text(refusal))
            return redirect("admin:actions_connection_change", found.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Test of %s") % found,
            "connection": found,
            "report": report,
        }
        return TemplateResponse(request, "console/connection_test.html", context)


def _kind_of(request: HttpRequest, connection: Connection | None) -> Kind:
    """Return a connection's kind, or the kind chosen for a new one."""
    if connection is not None:
        return KINDS[Auth(connection.auth)]
    auth = request.GET.get("auth")
    return KINDS[Auth(auth) if auth in Auth.values else Auth.NONE]
