"""Categories: the sections of the help pages, with their order, icons, descriptions and names in other languages."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from kb.access import Surface, Viewer
from kb.categories import ICONS, MAX_DESCRIPTION, check_category_name, move_category, save_category
from kb.errors import InvalidDocument
from kb.help_centre.article_lists import help_locales
from kb.models import Article, Category
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.console.base import ScopedAdmin
from supportbot.console.request_context import needs
from supportbot.errors import NotFound
from supportbot.handoff.templatetags.desk import icon
from supportbot.language.detection import base_language


class CategoryForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A category, with a name and a description for each additional language of the help pages."""

    name = forms.CharField(max_length=120, label=_("Name"))
    description = forms.CharField(
        max_length=MAX_DESCRIPTION,
        required=False,
        label=_("Description"),
        help_text=_("One line, shown on the category's card. If it is empty, the card lists articles."),
    )
    icon = forms.ChoiceField(required=False, label=_("Icon"), widget=forms.RadioSelect)

    class Meta:
        model = Category
        fields = ["name", "description", "icon"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = self.fields["icon"]
        choices.choices = [("", _with_icon("book", gettext("None chosen")))]
        choices.choices += [(name, _with_icon(name, gettext(words))) for name, words in ICONS.items()]
        self.languages = other_languages(self.instance)
        for code in self.languages:
            translation = self.instance.translations.get(code, {})
            language = _name_of(code)
            self.fields[f"name_{code}"] = forms.CharField(
                max_length=120,
                required=False,
                initial=translation.get("name", ""),
                label=gettext("Name: {language}").format(language=language),
            )
            self.fields[f"description_{code}"] = forms.CharField(
                max_length=MAX_DESCRIPTION,
                required=False,
                initial=translation.get("description", ""),
                label=gettext("Description: {language}").format(language=language),
            )

    def clean_name(self) -> str:
        try:
            return check_category_name(self.cleaned_data["name"], but=self.instance.pk)
        except InvalidDocument as refusal:
            raise ValidationError(refusal.message) from refusal

    def translations(self) -> dict[str, dict[str, str]]:
        """Return the texts entered for other languages. If a text is empty, the category's own is used."""
        found = {}
        for code in self.languages:
            texts = {name: self.cleaned_data[f"{name}_{code}"] for name in ("name", "description")}
            if any(texts.values()):
                found[code] = texts
        return found


def other_languages(category: Category) -> list[str]:
    """Return the languages to fill in: those of the help pages, except the workspace's own, and those already in
    use.
    """
    own = base_language(Workspace.objects.get(pk=current_workspace_id()).locale)
    shown = {base_language(locale) for locale in help_locales(Viewer(surface=Surface.HELP_PAGES))}
    return sorted(({*shown, *category.translations}) - {own})


@admin.register(Category)
class CategoryAdmin(ScopedAdmin):
    many = _("Categories")
    new = _("New category")
    none_yet = _(
        "Categories are the sections of the help pages. A category is created when an article or import first uses "
        "its name."
    )
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = can_delete = True
    form = CategoryForm
    list_display = ["titled", "description", "articles", "moves"]
    list_display_links = ["titled"]
    search_fields = ["name", "description"]
    ordering = [F("position").asc(nulls_last=True), "name", "pk"]

    def get_urls(self) -> list[URLPattern]:
        move = self.admin_site.admin_view(require_POST(self.move))
        return [path("<uuid:category_id>/move/<slug:where>/", move, name="category-move"), *super().get_urls()]

    def move(self, request: HttpRequest, category_id: UUID, where: str) -> HttpResponse:
        """Move a category one place up or down."""
        needs(request, "kb:write")
        match where:
            case "up" | "down":
                move_category(category_id, where)
            case _:
                raise NotFound()
        return redirect("admin:kb_category_changelist")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        here = Article.objects.filter(category=OuterRef("name")).order_by().values("category")
        holds = Subquery(here.annotate(number=Count("pk")).values("number"))
        return rows.annotate(holds=Coalesce(holds, 0))  # type: ignore[no-any-return]  # the stubs lose the model

    @admin.display(description=_("Name"))
    def titled(self, row: Category) -> SafeString:
        return _with_icon(row.icon or "book", row.name)

    @admin.display(description=_("Articles"), ordering="holds")
    def articles(self, row: Any) -> int:
        return int(row.holds)

    @admin.display(description=_("Position"))
    def moves(self, row: Category) -> SafeString:
        button = '<button class="btn sm" formaction="{}" aria-label="{}" title="{}">{}</button>'
        words = {"up": gettext("Move up: {name}"), "down": gettext("Move down: {name}")}
        made = []
        for where, sign in (("up", "up"), ("down", "down")):
            address = reverse("admin:category-move", args=[row.pk, where])
            text = words[where].format(name=row.name)
            made.append(format_html(button, address, text, text, icon(sign, "s")))
        return format_html('<span class="row">{}{}</span>', *made)

    def get_list_display(self, request: HttpRequest) -> list[str]:
        shown: list[str] = list(super().get_list_display(request))
        return shown if self.has_change_permission(request) else shown[:-1]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        more = other_languages(obj or Category())
        return ["name", "description", "icon", *(f"{one}_{code}" for code in more for one in ("name", "description"))]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "fields": ["name", "description", "icon"]})

    def save_model(self, request: HttpRequest, obj: Category, form: CategoryForm, change: bool) -> None:
        obj.translations = form.translations()
        save_category(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow deleting only empty categories. An article that uses a deleted category would bring it back."""
        is_empty = obj is None or not Article.objects.filter(category=obj.name).exists()
        return is_empty and bool(super().has_delete_permission(request, obj))


def _with_icon(name: str, words: str) -> SafeString:
    return format_html('<span class="row">{} {}</span>', icon(name, "s"), words)


def _name_of(code: str) -> str:
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code
