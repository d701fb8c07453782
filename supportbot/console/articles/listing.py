"""Articles and their collections, as lists. The article's own page is the editor's."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kb.documents import check_name
from kb.errors import InvalidDocument
from kb.models import Article, Collection, State
from kb.services import archive, collection_named, publish
from kb.writers import closed_to, name_writers, writers_of
from supportbot.accounts.models import User
from supportbot.accounts.scope import current_workspace_id
from supportbot.console.articles import editor, revisions
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import person_of
from supportbot.console.words import tag, when

STATES = (
    ("live", "Published", Q(state=State.LIVE)),
    ("open", "Draft open", Q(state=State.LIVE) & ~Q(live_revision=F("latest_revision"))),
    ("draft", "Drafts", Q(state=State.DRAFT)),
    ("archived", "Archived", Q(state=State.ARCHIVED)),
)


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, words) for value, words, _ in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = [condition for value, _, condition in STATES if value == self.value()]
        return queryset.filter(*chosen)


@admin.register(Article)
class ArticleAdmin(ScopedAdmin):
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = True
    change_list_template = "console/articles/list.html"
    list_display = ["name", "shown_state", "language", "audience_in_words", "changed"]
    list_display_links = None
    list_filter = [StateFilter, "collection", "locale", "audience"]
    list_select_related = ["collection", "live_revision", "latest_revision"]
    search_fields = ["latest_revision__title", "latest_revision__body", "external_id"]
    ordering = ["-updated_at", "pk"]
    actions = ["publish_ticked", "archive_ticked"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("live_revision__body", "latest_revision__body")

    @admin.display(description="Title", ordering="latest_revision__title")
    def name(self, article: Article) -> SafeString:
        return format_html(
            '<a class="t" href="{}/change/" dir="auto">{}</a><span class="sub">{}</span>',
            article.pk,
            article.title,
            article.collection.name,
        )

    @admin.display(description="State", ordering="state")
    def shown_state(self, article: Article) -> SafeString:
        return tags(article)

    @admin.display(description="Language", ordering="locale")
    def language(self, article: Article) -> str:
        return article.locale

    @admin.display(description="Readers", ordering="audience")
    def audience_in_words(self, article: Article) -> str:
        return str(article.get_audience_display())

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, article: Article) -> str:
        return when(article.updated_at)

    @admin.action(description="Publish", permissions=["change"])
    def publish_ticked(self, request: HttpRequest, rows: QuerySet[Article]) -> None:
        _each(request, rows, publish, "Published")

    @admin.action(description="Archive", permissions=["change"])
    def archive_ticked(self, request: HttpRequest, rows: QuerySet[Article]) -> None:
        _each(request, rows, archive, "Archived")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("add/", editor.new_article, "kb_article_add"),
            ("preview/", editor.preview, "article-preview"),
            ("<uuid:article_id>/change/", editor.edit_article, "kb_article_change"),
            ("<uuid:article_id>/searchable/", editor.searchable, "article-searchable"),
            ("<uuid:article_id>/revisions/", revisions.history, "article-revisions"),
            ("<uuid:article_id>/revisions/restore/", revisions.restore, "article-restore"),
        ]
        return [*(path(address, wrap(view), name=name) for address, view, name in own), *super().get_urls()]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return revisions.history(request, UUID(object_id))


def tags(article: Article) -> SafeString:
    """Return an article's state in words, with what waits behind it."""
    kind = {State.LIVE: "ok", State.ARCHIVED: "", State.DRAFT: "accent"}[State(article.state)]
    words = {State.LIVE: "Published", State.ARCHIVED: "Archived", State.DRAFT: "Draft"}[State(article.state)]
    shown = [(kind, words)]
    if article.is_live and article.live_revision_id != article.latest_revision_id:
        shown.append(("accent", "Draft open"))
    return format_html_join(" ", "{}", ((tag(kind, words),) for kind, words in shown))


def _each(request: HttpRequest, rows: Iterable[Article], do: Any, word: str) -> None:
    closed, chosen = closed_to(person_of(request)), list(rows)
    allowed = [article for article in chosen if article.collection_id not in closed]
    count = sum(1 for article in allowed if do(article.pk))
    if len(allowed) < len(chosen):
        messages.warning(request, "Those in collections that name other writers were left as they are.")
    messages.success(request, f"{word}: {count} article{'' if count == 1 else 's'}.")


class CollectionForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    writers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Who writes here",
        help_text="Nobody ticked: every editor. Otherwise the people ticked, and the admins.",
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
            raise ValidationError("There is a collection of this name. Choose another.")
        return name


@admin.register(Collection)
class CollectionAdmin(ScopedAdmin):
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

    @admin.display(description="Articles", ordering="holds")
    def articles(self, collection: Any) -> int:
        return int(collection.holds)

    def get_actions(self, request: HttpRequest) -> Any:
        return {}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "writers"] if self._may(request, "team:write") else ["name"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_closed = obj is not None and obj.pk in closed_to(person_of(request))
        return bool(super().has_change_permission(request, obj)) and not is_closed

    def save_model(self, request: HttpRequest, obj: Collection, form: CollectionForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
        else:
            made = collection_named(obj.name)
            obj.pk, obj.slug = made.pk, made.slug
        if self._may(request, "team:write"):  # the form takes the field from whoever sends it
            name_writers(obj, form.cleaned_data["writers"])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only an empty shelf goes: articles are archived, not thrown away with their shelf."""
        is_empty = obj is None or not Article.objects.filter(collection_id=obj.pk).exists()
        return is_empty and bool(super().has_delete_permission(request, obj))
