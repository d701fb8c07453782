"""The workspace's own settings."""

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from actions import audit
from actions.models import name_of
from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.services import CURRENCY, add_member, create_workspace
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import person_of
from supportbot.console.fields import LanguageCode

# Settings about answers, whose changes are recorded in the audit chain.
SETTINGS: Final = ("answer_strictness", "hides_personal_data")


@dataclass(frozen=True, slots=True)
class Choice:
    """`gets` is what customers get of an unconfirmed answer; `measured` is shown beside it."""

    name: str
    gets: str
    measured: str = ""

    def shown(self) -> SafeString:
        told = format_html("<span><b>{}.</b> {}", self.name, self.gets)
        figures = format_html(' <span class="muted">{}</span>', self.measured) if self.measured else ""
        return format_html("{}{}</span>", told, figures)


STRICTNESS: Final[dict[Workspace.AnswerStrictness, Choice]] = {
    Workspace.AnswerStrictness.STRICT: Choice(
        "Strict",
        "Customers never see such an answer. They get the closest passage word for word, or are told that nothing "
        "was found.",
        "Measured: of 100 faithful answers 85 are shown whole and 8 are replaced; of 100 unfaithful ones 83 are "
        "replaced and 6 lose a sentence.",
    ),
    Workspace.AnswerStrictness.BALANCED: Choice(
        "Balanced",
        "Customers see such an answer without sources, with a note that your articles do not confirm it and an offer "
        "to talk to a person.",
        "Measured: of 100 faithful answers 94 are shown whole, none is replaced and 8 carry that note; of 100 "
        "unfaithful ones 89 lose a sentence or carry it.",
    ),
    Workspace.AnswerStrictness.OPEN: Choice(
        "Open",
        "Customers see such an answer like any other.",
        "Measured: of 100 faithful answers 94 are shown whole and 6 lose a sentence; of 100 unfaithful ones 86 are "
        "shown whole.",
    ),
}
# The figures are what `python -m bench.checks FILE --strictness …` prints of these answers.
IN_ALL: Final = (
    "In all three, the assistant leaves out links, figures and promises without evidence. A change applies from "
    "the next answer. The figures are from 158 faithful and 35 unfaithful answers of GPT-4o, Llama "
    "3.1 and people to questions from MTRAG, a public benchmark; three people judged each answer."
)


class FactsForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    locale = LanguageCode(
        label="Language",
        initial="en",
        help_text="The default for new articles and channels: a code such as en or de.",
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        initial="UTC",
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        help_text="Daily limits start at midnight in this time zone.",
    )

    class Meta:
        model = Workspace
        fields = ["name", "locale", "timezone"]


class WorkspaceForm(FactsForm):
    answer_strictness = forms.ChoiceField(
        label="Answers not confirmed by your articles",
        widget=forms.RadioSelect,
        choices=lambda: [(value, choice.shown()) for value, choice in STRICTNESS.items()],
        help_text=IN_ALL,
    )

    class Meta(FactsForm.Meta):
        fields = [*FactsForm.Meta.fields, *SETTINGS]
        labels = {"hides_personal_data": "Hide personal data from the model"}
        help_texts = {
            "hides_personal_data": "On: e-mail addresses and phone, card and account numbers are sent to the model "
            "as placeholders such as [EMAIL_1]; customers and colleagues see the real data. Off: the model sees it too."
        }


class NewWorkspaceForm(FactsForm):
    currency = forms.CharField(
        max_length=3,
        initial="EUR",
        help_text="The currency of all limits, a code such as EUR or USD. It cannot be changed later.",
    )

    def clean_name(self) -> str:
        """Refuse a name without a unique slug, by which pages and commands identify a workspace."""
        name = str(self.cleaned_data["name"])
        slug = slugify(name)
        if not slug:
            raise ValidationError("Use letters from a to z or digits: the workspace's address is made from them.")
        if Workspace.objects.filter(Q(slug=slug) | Q(name__iexact=name)).exists():
            raise ValidationError("Another workspace has this name or address. Choose another name.")
        return name

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).upper()
        if not CURRENCY.fullmatch(code):
            raise ValidationError("Use a currency code of three letters, such as EUR.")
        return code


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
        """Only superusers create workspaces; a role in one workspace is not enough."""
        return bool(getattr(request.user, "is_superuser", False)) and self.has_change_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["name", "locale", "timezone", "currency"]})]
        return [
            (None, {"fields": ["name", "slug", "locale", "timezone", "currency"]}),
            ("Answers", {"fields": list(SETTINGS)}),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = WorkspaceForm if obj else NewWorkspaceForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["slug", "currency"] if obj else []  # addresses and financial records depend on these

    def save_model(self, request: HttpRequest, obj: Workspace, form: FactsForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "locale", "timezone", *SETTINGS])
            _record_changes(request, obj, form)
            return
        made = create_workspace(obj.name, locale=obj.locale, currency=form.cleaned_data["currency"])
        made.timezone = obj.timezone
        made.save(update_fields=["timezone"])
        add_member(made, person_of(request), Membership.Role.ADMIN)
        obj.pk, obj.slug, obj.currency = made.pk, made.slug, made.currency


def _record_changes(request: HttpRequest, workspace: Workspace, form: FactsForm) -> None:
    for name in SETTINGS:
        if name in form.changed_data:
            audit.record(
                "workspace.changed",
                actor=name_of(person_of(request)),
                setting=name,
                before=str(form.initial[name]),
                after=str(getattr(workspace, name)),
            )
