"""The list of articles; the editor is the page of an article."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now

from kb.collections import restricted_collections
from kb.models import Article, State
from kb.services import archive, publish
from supportbot.chat.models import Citation
from supportbot.console.articles import editor, revisions
from supportbot.console.base import ScopedAdmin
from supportbot.console.entry import person_of
from supportbot.console.words import tag, when

DAYS: Final = 30
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
    none_yet = "The assistant answers only from articles. Write one or import files."
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = True
    change_list_template = "console/articles/list.html"
    list_display = ["name", "shown_state", "language", "audience_in_words", "answers", "changed"]
    list_display_links = None
    list_filter = [StateFilter, "collection", "locale", "audience"]
    list_select_related = ["collection", "live_revision", "latest_revision"]
    search_fields = ["latest_revision__title", "latest_revision__body", "external_id"]
    ordering = ["-updated_at", "pk"]
    actions = ["publish_ticked", "archive_ticked"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(answers=_answers())
        return rows.defer("live_revision__body", "latest_revision__body")

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

    @admin.display(description="Answers", ordering="answers")
    def answers(self, article: Article) -> str:
        number: int = article.answers  # type: ignore[attr-defined]  # annotated
        return f"{number:,}" if number else "none yet"

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
        try:
            return revisions.history(request, UUID(object_id))
        except ValueError as error:  # not an id
            raise Http404 from error


def _answers() -> Coalesce:
    """Return how many answers of the last days cite any revision of the article."""
    since = now() - timedelta(days=DAYS)
    quoted = Citation.objects.filter(article_id=OuterRef("pk"), message__created_at__gte=since).order_by()
    counted = quoted.values("article_id").annotate(number=Count("message", distinct=True))
    return Coalesce(Subquery(counted.values("number")), 0)


def tags(article: Article) -> SafeString:
    """Return an article's state as tags, including an open draft."""
    kind = {State.LIVE: "ok", State.ARCHIVED: "", State.DRAFT: "accent"}[State(article.state)]
    words = {State.LIVE: "Published", State.ARCHIVED: "Archived", State.DRAFT: "Draft"}[State(article.state)]
    shown = [(kind, words)]
    if article.is_live and article.live_revision_id != article.latest_revision_id:
        shown.append(("accent", "Draft open"))
    return format_html_join(" ", "{}", ((tag(kind, words),) for kind, words in shown))


def _each(request: HttpRequest, rows: Iterable[Article], do: Any, word: str) -> None:
    closed, chosen = restricted_collections(person_of(request)), list(rows)
    allowed = [article for article in chosen if article.collection_id not in closed]
    count = sum(1 for article in allowed if do(article.pk))
    if len(allowed) < len(chosen):
        messages.warning(request, "Articles in collections you may not write in were not changed.")
    messages.success(request, f"{word}: {count} article{'' if count == 1 else 's'}.")
