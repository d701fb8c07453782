"""The workspace's settings, and the page where the first administrator creates the first workspace."""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.text import slugify
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from actions import audit
from actions.audit import actor_of
from supportbot.accounts.branding import colour_validator
from supportbot.accounts.logos import logo_path, remove_logo, set_logo
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.stored_pictures import StoredPicture
from supportbot.accounts.team_members import add_member
from supportbot.accounts.workspaces import CURRENCY, create_workspace
from supportbot.chat.retention import count_expired, latest_runs
from supportbot.console.base import ScopedAdmin
from supportbot.console.fields import ColourInput, LanguageCode, Picture, PictureInput, TimeZone
from supportbot.console.request_context import enter, needs_workspace, person_of
from supportbot.handoff.desk.offered_drafts import TEXT_DAYS
from supportbot.outbound.targets import with_scheme
from supportbot.team_formats import date_time, language_name, number

FACTS: Final[tuple[str, ...]] = ("name", "site_url", "locale", "timezone", "accent")
# Protection settings take effect at once, outside releases; the audit trail records changes to them.
SETTINGS: Final = ("hides_personal_data",)
LEGAL: Final = ("imprint_url", "privacy_url")
RETENTION: Final = ("keep_conversations_days", "keep_bodies_days")


class _SiteAddress(forms.URLField):
    def to_python(self, value: Any) -> str | None:
        return super().to_python(with_scheme(value.strip()) if isinstance(value, str) else value)


class FactsForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    name = forms.CharField(max_length=120, label=_("Name"))
    site_url = _SiteAddress(
        max_length=300,
        required=False,
        assume_scheme="https",
        label=_("Your site"),
        help_text=_("The address of your website, such as shop.example. The help pages link to it."),
        widget=forms.TextInput(attrs={"class": "field", "inputmode": "url"}),
        error_messages={"invalid": _("Enter an address such as https://shop.example.")},
    )
    locale = LanguageCode(
        label=_("Language"),
        initial="en",
        help_text=_(
            "The language of new channels, and of new articles unless their text is clearly in a different one. Type "
            "its name, or a code such as en or de."
        ),
    )
    timezone = TimeZone(
        label=_("Time zone"),
        initial="UTC",
        help_text=_("Type a city. Daily limits start at midnight in this time zone."),
    )

    accent = forms.CharField(
        required=False,
        validators=[colour_validator],
        widget=ColourInput(),
        label=_("Colour"),
        help_text=_(
            "Used for your help pages and new channels. Made lighter or darker where text would be hard to read."
        ),
    )
    logo = Picture(required=False, label=_("Logo"), help_text=_("PNG, JPEG or WebP; shown small."))

    class Meta:
        model = Workspace
        fields = FACTS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            self.initial["logo"] = logo_path(self.instance)

    def clean_logo(self) -> Any:
        """Refuse to replace or remove a logo that the page did not show. The browser forgets a chosen file, so it has
        to be chosen again.
        """
        chosen = self.cleaned_data["logo"]
        stored = self.initial.get("logo", "")
        if chosen is not None and self.data.get(PictureInput.shown_name("logo"), stored) != stored:
            raise forms.ValidationError(
                gettext(
                    "The logo has been changed since you opened this page. To replace this one, choose yours again."
                )
            )
        return chosen


def _page_of(label: Any, help_text: Any) -> forms.URLField:
    return forms.URLField(
        max_length=300,
        required=False,
        assume_scheme="https",
        label=label,
        help_text=help_text,
        widget=forms.TextInput(attrs={"class": "field", "inputmode": "url"}),
        error_messages={"invalid": _("Enter an address such as https://shop.example.")},
    )


class WorkspaceForm(FactsForm):
    imprint_url = _page_of(
        _("Imprint"), _("The page that says who you are. Linked from the help pages and the chat's own page.")
    )
    privacy_url = _page_of(
        _("Privacy page"),
        _(
            "Linked from the help pages, the chat's own page, and the chat menu of every channel without its own "
            "privacy page."
        ),
    )

    class Meta(FactsForm.Meta):
        fields = (*FACTS, *LEGAL, *SETTINGS, *RETENTION)
        labels = {
            "hides_personal_data": _("Hide personal data from the model"),
            "keep_conversations_days": _("Days to keep conversations"),
            "keep_bodies_days": _("Days to keep the text of model calls"),
        }
        help_texts = {
            "hides_personal_data": _(
                "When on, e-mail addresses and phone, card and account numbers are sent to the model as placeholders "
                "such as [EMAIL_1]; customers and colleagues see the real data. When off, the model sees the real "
                "data too."
            ),
            "keep_conversations_days": _(
                "Every night, conversations without a message for longer than this are permanently deleted, with their "
                "e-mails. Requests, amounts, the audit trail and the figures are kept. Leave empty to keep "
                "conversations."
            ),
            "keep_bodies_days": _(
                "Applies to drafts for agents, and to other texts if they are stored; never longer than 30 days."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in RETENTION:  # the form field of a positive integer has its own minimum, 0
            field = self.fields[name]
            field.validators = [one for one in field.validators if getattr(one, "limit_value", None) != 0]
            field.widget.attrs["min"] = 1
        days = self.fields["keep_bodies_days"]
        days.validators = [*days.validators, MaxValueValidator(TEXT_DAYS)]
        days.widget.attrs["max"] = TEXT_DAYS


class NewWorkspaceForm(FactsForm):
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        initial="EUR",
        help_text=_("The currency of all limits, a code such as EUR or USD. It cannot be changed later."),
    )

    def clean_name(self) -> str:
        """Refuse a name that would not get a unique slug, because pages and commands identify a workspace by its
        slug.
        """
        name = str(self.cleaned_data["name"])
        slug = slugify(name)
        if not slug:
            raise ValidationError(
                gettext("Use letters from a to z or digits: the workspace's address is made from them.")
            )
        if Workspace.objects.filter(Q(slug=slug) | Q(name__iexact=name)).exists():
            raise ValidationError(
                gettext("Another workspace already has this name or address. Choose a different name.")
            )
        return name

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).upper()
        if not CURRENCY.fullmatch(code):
            raise ValidationError(gettext("Use a currency code of three letters, such as EUR."))
        return code


@admin.register(Workspace)
class WorkspaceAdmin(ScopedAdmin):
    many = _("Workspace")
    new = _("New workspace")
    view_right = change_right = "team:write"
    form = WorkspaceForm
    change_form_template = add_form_template = "console/workspace.html"
    list_display = ["name", "fixed_slug", "language", "zone", "fixed_currency"]

    @admin.display(description=_("Language"), ordering="locale")
    def language(self, workspace: Workspace) -> str:
        return language_name(workspace.locale)

    @admin.display(description=_("Time zone"), ordering="timezone")
    def zone(self, workspace: Workspace) -> str:
        return workspace.timezone

    @admin.display(description=_("Slug"), ordering="slug")
    def fixed_slug(self, workspace: Workspace) -> str:
        return workspace.slug

    @admin.display(description=_("Currency"), ordering="currency")
    def fixed_currency(self, workspace: Workspace) -> str:
        return workspace.currency

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow only superusers to create workspaces. A role in a workspace is not enough."""
        return bool(getattr(request.user, "is_superuser", False)) and self.has_change_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": [*FACTS, "logo", "currency"]})]
        return [
            (None, {"fields": ["name", "fixed_slug", *FACTS[1:], "logo", "fixed_currency"]}),
            (_("Legal pages"), {"fields": list(LEGAL)}),
            (_("Answers"), {"fields": list(SETTINGS)}),
            (_("Retention"), {"fields": list(RETENTION), "description": about_retention(obj)}),
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = WorkspaceForm if obj else NewWorkspaceForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["fixed_slug", "fixed_currency"] if obj else []  # addresses and financial records depend on these fields

    def save_model(self, request: HttpRequest, obj: Workspace, form: FactsForm, change: bool) -> None:
        if change:
            obj.save(update_fields=[*FACTS, *LEGAL, *SETTINGS, *RETENTION])
            change_logo(obj, form.cleaned_data["logo"])
            _record_changes(request, obj, form)
            if "keep_conversations_days" in form.changed_data:
                _warn_of_erasure(request, obj)
            return
        made = create_with_admin(person_of(request), form.cleaned_data)
        obj.pk, obj.slug, obj.currency = made.pk, made.slug, made.currency


def _warn_of_erasure(request: HttpRequest, workspace: Workspace) -> None:
    """Say how many conversations the new limit will erase tonight.

    This cannot be undone, and it is easy to type 3 instead of 30.
    """
    if count := count_expired(workspace):
        text = ngettext(
            "{number} conversation is older than this and will be permanently deleted tonight, after 1:40 UTC. To "
            "keep it, enter more days before then.",
            "{number} conversations are older than this and will be permanently deleted tonight, after 1:40 UTC. To "
            "keep them, enter more days before then.",
            count,
        )
        messages.warning(request, text.format(number=number(count)))


def about_retention(workspace: Workspace) -> str:
    """Return a sentence about what was erased last night; "" before the first night."""
    found = latest_runs(workspace)
    if found is None:
        return ""
    run, conversations, bodies = found
    if run.has_failed:
        return gettext(
            "Last run on {time}: it failed. The operator's log says why. Erased that night: {conversations} "
            "conversations, {bodies} texts."
        ).format(time=date_time(run.ended_at), conversations=number(conversations), bodies=number(bodies))
    return gettext(
        "Last run on {time}. Erased that night: {conversations} conversations, {bodies} texts. Kept because of open "
        "work: {kept}. Left for the next night: {left}."
    ).format(
        time=date_time(run.ended_at),
        conversations=number(conversations),
        bodies=number(bodies),
        kept=number(run.kept),
        left=number(run.remaining),
    )


@transaction.atomic
def create_with_admin(person: User, values: dict[str, Any]) -> Workspace:
    """Create a workspace from the values of `NewWorkspaceForm`. This person becomes its admin."""
    workspace = create_workspace(**{name: value for name, value in values.items() if name != "logo"})
    change_logo(workspace, values["logo"])
    add_member(workspace, person, Membership.Role.ADMIN, actor=actor_of(person))
    return workspace


def change_logo(workspace: Workspace, chosen: Any) -> None:
    """Store the logo. A re-encoded picture replaces the current one, False removes it, and any other value keeps it."""
    if isinstance(chosen, StoredPicture):
        set_logo(workspace, chosen)
    elif chosen is False:
        remove_logo(workspace)


def _record_changes(request: HttpRequest, workspace: Workspace, form: FactsForm) -> None:
    for name in (*SETTINGS, *RETENTION):
        if name in form.changed_data:
            audit.record(
                "workspace.changed",
                actor=actor_of(person_of(request)),
                setting=name,
                before=str(form.initial[name]),
                after=str(getattr(workspace, name)),
            )


@login_required(login_url="admin:login")
def first_workspace(request: HttpRequest) -> HttpResponse:
    """Show the form. On a POST, create the workspace, make this person its admin, and switch to it."""
    if not needs_workspace(request.user):
        return redirect("admin:index")
    form = NewWorkspaceForm(request.POST or None, request.FILES or None, initial={"locale": get_language() or "en"})
    if request.method == "POST" and form.is_valid():
        workspace = create_with_admin(person_of(request), form.cleaned_data)
        enter(request, workspace.pk)
        return redirect("admin:index")
    context = {"title": gettext("Create your workspace"), "form": form}
    return render(request, "console/firststeps/workspace.html", context, status=422 if form.errors else 200)


urls = [path("first-workspace/", first_workspace, name="first-workspace")]
