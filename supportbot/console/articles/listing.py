"""The list of articles. The page of an article is the editor."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from kb.access import restricted_collections
from kb.errors import ArticleChanged
from kb.models import Article, State
from kb.reviews import stale, to_review
from kb.services import archive, lock_unchanged, publish
from kb.translations import older
from supportbot import team_formats as formats
from supportbot.chat.models import Citation
from supportbot.console.articles import comparisons, draft_check_page, revisions
from supportbot.console.articles.editor import autosave, help_page_fields, plan_fields, review_fields, script_views
from supportbot.console.articles.editor import views as editor
from supportbot.console.articles.gate_check import ArticleRefused, pass_gates
from supportbot.console.articles.publication_messages import show_outdated
from supportbot.console.base import ScopedAdmin
from supportbot.console.display import moment_in_words, tag
from supportbot.console.filters import LanguageFilter
from supportbot.console.request_context import person_of, staff, workspace_here
from supportbot.evals.articles.article_gates import Trial, archiving, publishing_newest
from supportbot.evals.articles.publication_comparison import compare_publication
from supportbot.releases.selectors import gates
from supportbot.team_formats import language_name

DAYS: Final = 30
GATES_SECONDS: Final = 40.0  # the time limit for all articles selected at once
MOST_EXPLAINED: Final = 10
STATES = (
    ("live", _("Published"), Q(state=State.LIVE)),
    ("open", _("Draft open"), Q(state=State.LIVE) & ~Q(live_revision=F("latest_revision"))),
    ("draft", _("Drafts"), Q(state=State.DRAFT)),
    ("archived", _("Archived"), Q(state=State.ARCHIVED)),
    ("stale", _("Due for review"), stale),
    ("older", _("Older than their source"), older),
    ("planned", _("Scheduled"), Q(plans__isnull=False)),
    ("off_help", _("Not on the help pages"), Q(on_help_pages=False)),
    ("off_assistant", _("Not for the assistant"), Q(for_assistant=False)),
)


class StateFilter(SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        mine = ("review", gettext("For me to review"))
        return [*((value, str(label)) for value, label, _condition in STATES), mine]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "review":
            return queryset.filter(pk__in=to_review(person_of(request).pk).order_by().values("pk"))
        chosen = [
            condition() if callable(condition) else condition
            for value, _label, condition in STATES
            if value == self.value()
        ]
        return queryset.filter(*chosen).distinct() if chosen else queryset


@admin.register(Article)
class ArticleAdmin(ScopedAdmin):
    many = _("Articles")
    new = _("New article")
    none_yet = _("The assistant answers only from articles. Write one or import files.")
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = True
    change_list_template = "console/articles/list.html"
    list_display = ["name", "shown_state", "language", "audience_in_words", "answers", "changed"]
    list_display_links = None
    list_filter = [StateFilter, "collection", ("locale", LanguageFilter), "audience"]
    list_select_related = [
        "collection",
        "live_revision",
        "latest_revision",
        "reviewer",
        "translation_of__live_revision",
    ]
    search_fields = ["latest_revision__title", "latest_revision__body", "external_id"]
    ordering = ["-updated_at", "pk"]
    actions = ["publish_ticked", "archive_ticked"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(answers=_answers())
        bodies = ("live_revision__body", "latest_revision__body", "translation_of__live_revision__body")
        return rows.defer(*bodies).prefetch_related("plans")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"has_gates": bool(gates()), "notices": comparisons.notices(request)}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def next_steps(self, request: HttpRequest) -> list[tuple[str, Any]]:
        steps = super().next_steps(request)
        more = [("admin:import", gettext("Import files")), ("admin:kb_source_add", gettext("Read your website"))]
        return [*steps, *((reverse(name), words) for name, words in more)] if steps else []

    @admin.display(description=_("Title"), ordering="latest_revision__title")
    def name(self, article: Article) -> SafeString:
        return format_html(
            '<a class="t" href="{}/change/" dir="auto">{}</a><span class="sub">{}</span>',
            article.pk,
            article.title,
            article.collection.name,
        )

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, article: Article) -> SafeString:
        return tags(article)

    @admin.display(description=_("Language"), ordering="locale")
    def language(self, article: Article) -> str:
        return language_name(article.locale)

    @admin.display(description=_("Readers"), ordering="audience")
    def audience_in_words(self, article: Article) -> str:
        return str(article.get_audience_display())

    @admin.display(description=_("Answers"), ordering="answers")
    def answers(self, article: Article) -> str:
        number: int = article.answers  # type: ignore[attr-defined]  # annotated
        return formats.number(number) if number else gettext("none yet")

    @admin.display(description=_("Changed"), ordering="updated_at")
    def changed(self, article: Article) -> str:
        return moment_in_words(article.updated_at)

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish_ticked(self, request: HttpRequest, rows: QuerySet[Article]) -> None:
        _each(
            request,
            rows,
            publishing_newest,
            _publish,
            lambda count: ngettext("Published: {number} article.", "Published: {number} articles.", count),
        )

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive_ticked(self, request: HttpRequest, rows: QuerySet[Article]) -> None:
        _each(
            request,
            rows,
            archiving,
            _archive,
            lambda count: ngettext("Archived: {number} article.", "Archived: {number} articles.", count),
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("add/", editor.new_article, "kb_article_add"),
            ("preview/", script_views.preview, "article-preview"),
            ("links/", help_page_fields.links_page, "article-links"),
            ("pick/", script_views.pick, "article-pick"),
            ("sources/", script_views.sources, "article-sources"),
            ("picture/", script_views.upload, "article-picture"),
            ("paste/", script_views.paste, "article-paste"),
            ("autosave/", autosave.autosave, "article-autosave-new"),
            ("<uuid:article_id>/autosave/", autosave.autosave, "article-autosave"),
            ("<uuid:article_id>/change/", editor.edit_article, "kb_article_change"),
            ("<uuid:article_id>/searchable/", script_views.searchable, "article-searchable"),
            ("<uuid:article_id>/compared/", script_views.comparison, "article-compared"),
            ("comparisons/<uuid:comparison_id>/", comparisons.comparison_page, "article-comparison"),
            ("comparisons/<uuid:comparison_id>/seen/", comparisons.seen, "article-comparison-seen"),
            ("<uuid:article_id>/check/", draft_check_page.check_page, "article-check"),
            ("<uuid:article_id>/publish/", require_POST(draft_check_page.publish_checked), "article-publish"),
            ("<uuid:article_id>/revisions/", revisions.history, "article-revisions"),
            ("<uuid:article_id>/revisions/restore/", revisions.restore, "article-restore"),
        ]
        return [*(path(address, wrap(view), name=name) for address, view, name in own), *super().get_urls()]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return revisions.history(request, UUID(object_id))
        except ValueError as error:  # the value is not an id
            raise Http404 from error


def _answers() -> Coalesce:
    """Return the number of recent answers that cite the article, in any revision."""
    since = now() - timedelta(days=DAYS)
    quoted = Citation.objects.filter(article_id=OuterRef("pk"), message__created_at__gte=since).order_by()
    counted = quoted.values("article_id").annotate(number=Count("message", distinct=True))
    return Coalesce(Subquery(counted.values("number")), 0)


def tags(article: Article) -> SafeString:
    """Return an article's state as tags, including one for an unpublished draft."""
    kind = {State.LIVE: "ok", State.ARCHIVED: "", State.DRAFT: "accent"}[State(article.state)]
    words = {
        State.LIVE: gettext("Published"),
        State.ARCHIVED: gettext("Archived"),
        State.DRAFT: gettext("Draft"),
    }[State(article.state)]
    shown = [(kind, words)]
    if article.is_live and article.live_revision_id != article.latest_revision_id:
        shown.append(("accent", gettext("Draft open")))
    if not article.on_help_pages:
        shown.append(("", gettext("Not on the help pages")))
    if not article.for_assistant:
        shown.append(("", gettext("Not for the assistant")))
    shown += [*review_fields.shown_care(article), *help_page_fields.shown_age(article)]
    shown += [(plan.kind, plan.words) for plan in plan_fields.shown_plans(article)]
    return format_html_join(" ", "{}", ((tag(kind, words),) for kind, words in shown))


def _each(
    request: HttpRequest,
    rows: Iterable[Article],
    trial: Callable[[Article], Trial],
    do: Callable[[Article], bool],
    message_for: Callable[[int], str],
) -> None:
    closed, chosen = restricted_collections(person_of(request)), list(rows)
    allowed = [article for article in chosen if article.collection_id not in closed]
    refused, untried = _stopped(request, allowed, trial) if gates() else ({}, [])
    tried = [article for article in allowed if article not in refused and article not in untried]
    late = [article for article in tried if not do(article)]
    if len(allowed) < len(chosen):
        messages.warning(request, gettext("Articles in collections you cannot write to were not changed."))
    for article, refusal in list(refused.items())[:MOST_EXPLAINED]:
        messages.warning(request, _why(article, refusal))
    if more := list(refused)[MOST_EXPLAINED:]:
        problem = gettext("Not changed because of the gates: {titles}. Open each one to see why or to try again.")
        messages.warning(request, problem.format(titles=_titles(more)))
    if untried:
        problem = gettext("Not changed, because checking the others took too long: {titles}. Select these again.")
        messages.warning(request, problem.format(titles=_titles(untried)))
    if late:
        problem = gettext("Not changed, because someone else changed them in the meantime: {titles}.")
        messages.warning(request, problem.format(titles=_titles(late)))
    count = len(tried) - len(late)
    if count:
        messages.success(request, message_for(count).format(number=count))
        show_outdated(request, [article for article in tried if article not in late])


def _titles(articles: Iterable[Article]) -> str:
    return ", ".join(article.title for article in articles)


def _why(article: Article, refusal: ArticleRefused) -> SafeString:
    """Return why an article's change does not pass the gates, with a link to the article's page, which shows the
    answers.
    """
    link = format_html('<a href="{}" dir="auto">{}</a>', reverse("admin:kb_article_change", args=[article.pk]), article)
    return format_html("{} {}", format_html(gettext("Not changed: {article}."), article=link), refusal.message)


def _publish(article: Article) -> bool:
    return _unchanged(article, _published)


def _published(article: Article) -> None:
    publish(article.pk)
    compare_publication(article.pk, article)


def _archive(article: Article) -> bool:
    return _unchanged(article, lambda one: archive(one.pk))


def _unchanged(article: Article, do: Callable[[Article], object]) -> bool:
    """Publish or archive an article, provided that it has not changed since the gates checked it; otherwise, return
    False.
    """
    try:
        with transaction.atomic():
            lock_unchanged(article)
            do(article)
    except ArticleChanged:
        return False
    return True


def _stopped(
    request: HttpRequest, rows: Sequence[Article], trial: Callable[[Article], Trial]
) -> tuple[dict[Article, ArticleRefused], list[Article]]:
    """Return the articles that do not pass the gates, and those that could not be checked in time."""
    workspace, person, ends = workspace_here(request), staff(request), perf_counter() + GATES_SECONDS
    refused, untried = {}, []
    for article in rows:
        if perf_counter() > ends:
            untried.append(article)
            continue
        try:
            pass_gates(trial(article), workspace=workspace, person=person)
        except ArticleRefused as refusal:
            refused[article] = refusal
    return refused, untried
