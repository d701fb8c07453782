"""Models: the workspace's connections to models, their tests, and which model is used for each purpose."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from actions.audit import actor_of
from supportbot.console import search_models
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words
from supportbot.console.fields import PriceField
from supportbot.console.llm_test_failures import problem_of
from supportbot.console.releases.document_differences import PURPOSES
from supportbot.console.request_context import needs, person_of
from supportbot.llm import connections, release_routes
from supportbot.llm.call_settings import is_remote_configured
from supportbot.llm.connection_check import ConnectionTestResult, try_connection
from supportbot.llm.models import ModelConnection
from supportbot.releases.selectors import live_release

RIGHT: Final = "connections:write"


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    key = forms.CharField(
        required=False,
        max_length=4_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        label=_("Key"),
        help_text=_("The key is encrypted and never shown again. Leave empty to keep it, or if the server needs none."),
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        label=_("Temperature"),
        help_text=_("Leave empty for the model's default."),
    )
    max_output_tokens = forms.IntegerField(required=False, min_value=16, label=_("Maximum answer length, in tokens"))

    class Meta:
        model = ModelConnection
        fields = list(connections.FIELDS)
        field_classes = dict.fromkeys(("input_price", "output_price", "cached_price"), PriceField)
        labels = {
            "name": _("Name"),
            "base_url": _("Address"),
            "model": _("Model"),
            "input_price": _("Input price"),
            "output_price": _("Output price"),
            "cached_price": _("Cached input price"),
        }
        help_texts = {
            "base_url": _("The base URL of an OpenAI-compatible server, such as https://models.example.com/v1."),
            "model": _("The name that the server uses for the model."),
            "input_price": _("Per million tokens. Without prices, costs are unknown and no budget applies."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.fields["key"].help_text = gettext(
                "The key is encrypted and never shown again. Leave empty if the server needs none."
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        row = None if self.instance._state.adding else connections.connection_with_id(self.instance.pk)
        for name, texts in connections.problems(cleaned, row=row, key=str(cleaned.get("key", ""))).items():
            if name not in self.errors:  # the field's own errors come first
                self.add_error(name, texts)
        return cleaned


@admin.register(ModelConnection)
class ModelConnectionAdmin(ScopedAdmin):
    many = _("Models")
    new = _("New model")
    none_yet = _("Add a model to answer with, or keep using the environment variables.")
    view_right = change_right = RIGHT
    can_add = can_delete = True
    form = ModelForm
    change_list_template = "console/models/list.html"
    change_form_template = "console/models/model.html"
    list_display = ["named", "served", "address", "key_age"]
    search_fields = ["name", "model", "base_url"]
    ordering = ["name"]
    fieldsets = [
        (None, {"fields": ["name", "base_url", "key", "model"]}),
        (_("Parameters"), {"fields": ["temperature", "max_output_tokens"]}),
        (_("Prices"), {"fields": ["input_price", "output_price", "cached_price"]}),
    ]

    @admin.display(description=_("Name"), ordering="name")
    def named(self, row: ModelConnection) -> str:
        return row.name

    @admin.display(description=_("Model"), ordering="model")
    def served(self, row: ModelConnection) -> str:
        return row.model

    @admin.display(description=_("Address"), ordering="base_url")
    def address(self, row: ModelConnection) -> str:
        return row.base_url

    @admin.display(description=_("Key set"), ordering="key_changed_at")
    def key_age(self, row: ModelConnection) -> str:
        return moment_in_words(row.key_changed_at) if row.key else gettext("none")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"environment": _environment(), "routes": _routes(), "is_operator": search_models.is_operator(request)}
        more |= search_models.state(request)
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def save_model(self, request: HttpRequest, obj: ModelConnection, form: ModelForm, change: bool) -> None:
        cleaned, actor = form.cleaned_data, actor_of(person_of(request))
        known = obj.pk if change else None
        obj.pk = connections.save(cleaned, key=str(cleaned["key"]), actor=actor, connection_id=known).pk

    def response_add(
        self, request: HttpRequest, obj: ModelConnection, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the new model and its test. Nothing uses the model until a release lists it."""
        text = gettext("Saved: {name}. Test it, then choose it for answers in a new draft.")
        messages.success(request, text.format(name=obj.name))
        return self._redirect_to("change", obj.pk)

    def delete_model(self, request: HttpRequest, obj: ModelConnection) -> None:
        connections.remove(obj.pk, actor=actor_of(person_of(request)))

    def page_context(self, request: HttpRequest, row: ModelConnection) -> dict[str, Any]:
        return {"key_age": self.key_age(row)}

    def get_urls(self) -> list[URLPattern]:
        test = path(
            "<uuid:connection_id>/test/", self.admin_site.admin_view(require_POST(self.test)), name="model-test"
        )
        return [test, *search_models.addresses(self.admin_site.admin_view), *super().get_urls()]

    def test(self, request: HttpRequest, connection_id: UUID) -> HttpResponse:
        needs(request, RIGHT)
        row = connections.connection_with_id(connection_id)
        tried = try_connection(row.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Test of %s") % row,
            "row": row,
            "tried": tried,
            "problem": problem_of(tried.refused, tried.reason),
            "suits": _suits(tried),
        }
        return TemplateResponse(request, "console/models/test_result.html", context)


def _environment() -> dict[str, str] | None:
    """Return the connection from the environment variables, which pages cannot change; None if there is none."""
    if not is_remote_configured():
        return None
    return {
        "model": settings.OPENAI_MODEL or gettext("the server's only model"),
        "base_url": settings.OPENAI_BASE_URL or "https://api.openai.com/v1",
        "verify": settings.OPENAI_VERIFY_MODEL,
    }


def _routes() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the live release's models for each purpose, in order, with the ids of those that can be tested."""
    named, document = release_routes.names(), live_release().contents
    own = named.keys() - {release_routes.ENVIRONMENT, release_routes.BUILTIN}
    return [
        (
            gettext(words),
            [
                (named.get(one, one), one if one in own else "")
                for one in document.routes.get(purpose, _standard(purpose))
            ],
        )
        for purpose, words in PURPOSES.items()
    ]


def _suits(tried: ConnectionTestResult) -> list[str]:
    """Return the purposes that a model can serve, according to its test."""
    lacks = {*(() if tried.calls_tools else ("answer",)), *(() if tried.gives_json else ("verify", "judge"))}
    return [gettext(words) for purpose, words in PURPOSES.items() if purpose not in lacks]


def _standard(purpose: str) -> list[str]:
    """Return a purpose's default routes, used by releases that specify none."""
    has_model = is_remote_configured() and (purpose != "verify" or bool(settings.OPENAI_VERIFY_MODEL))
    remote = [release_routes.ENVIRONMENT] if has_model else []
    return remote + ([release_routes.BUILTIN] if purpose in release_routes.BUILTIN_PURPOSES else []) or [gettext("off")]
