"""Collections: their articles, and who may write to them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.access import restricted_collections
from kb.collections import collection_named, set_writers, writers_of
from kb.errors import InvalidDocument
from kb.models import Article, Collection
from kb.validation import check_name
from supportbot.accounts.models import User
from supportbot.accounts.scope import current_workspace_id
from supportbot.console.base import ScopedAdmin
from supportbot.console.request_context import person_of


class CollectionForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    name = forms.CharField(max_length=120, label=_("Name"))
    writers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Who may write"),
        help_text=_(
            "If nobody is selected, every editor may write; otherwise, only the selected people and the admins."
        ),
    )

    class Meta:
        model = Collection
        fields = ["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["writers"]
        who = Q(memberships__role__in=["editor", "admin"], memberships__workspace_id=current_workspace_id())
        field.queryset = User.objects.filter(who, is_active=True).order_by("username")
        field.label_from_instance = lambda user: user.display_name
        self.initial["writers"] = [] if self.instance._state.adding else writers_of(self.instance)

    def clean_name(self) -> str:
        try:
            name = check_name(self.cleaned_data["name"])
        except InvalidDocument as refusal:
            raise ValidationError(refusal.message) from refusal
        if Collection.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(gettext("A collection with this name already exists. Choose another name."))
        return name


@admin.register(Collection)
class CollectionAdmin(ScopedAdmin):
    many = _("Collections")
    new = _("New collection")
    none_yet = _("Collections group articles. An import creates those named in its files.")
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = can_delete = True
    form = CollectionForm
    list_display = ["name", "articles"]
    search_fields = ["name"]
    ordering = ["name", "pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.annotate(holds=Count("articles"))  # type: ignore[no-any-return]  # the stubs lose the model

    @admin.display(description=_("Articles"), ordering="holds")
    def articles(self, collection: Any) -> int:
        return int(collection.holds)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "writers"] if self._may(request, "team:write") else ["name"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_closed = obj is not None and obj.pk in restricted_collections(person_of(request))
        return bool(super().has_change_permission(request, obj)) and not is_closed

    def save_model(self, request: HttpRequest, obj: Collection, form: CollectionForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
        else:
            made = collection_named(obj.name)
            obj.pk, obj.slug = made.pk, made.slug
        if self._may(request, "team:write"):  # otherwise, the form would accept the field from anyone
            set_writers(obj, form.cleaned_data["writers"])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow deleting only empty collections. Articles are archived, never deleted with their collection."""
        is_empty = obj is None or not Article.objects.filter(collection_id=obj.pk).exists()
        return is_empty and bool(super().has_delete_permission(request, obj))
