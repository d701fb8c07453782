"""The services of the knowledge base. Each call is one transaction, which also writes its outbox row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext, gettext_noop

from kb.access import is_wider
from kb.categories import current_names, note_categories
from kb.collections import collection_named, default_name
from kb.errors import ArticleChanged, ArticleExists, ArticleMissing, InvalidDocument
from kb.help_centre.slugs import leads_elsewhere
from kb.indexing.full_text import fill_search_vectors
from kb.indexing.models import Chunk
from kb.models import Article, Collection, Plan, State
from kb.phrasings import fill_phrasings, phrasing_vectors, phrasings_of, set_phrasings
from kb.ports import ChangedContent, Verdict, verdict_on
from kb.revisions import (
    announce_changes,
    lock_articles,
    publish_articles,
    save_articles,
    set_metadata,
    write_revisions,
)
from kb.validation import (
    SWITCHES,
    check_article_text,
    check_audience,
    check_category,
    check_external_id,
    check_locale,
    check_url,
    language_of,
)
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.ids import uuid7

ARCHIVED_AT_ONCE: Final = 200
GATE_SECONDS: Final = 20.0  # the caller waits this long, with the article's row locked
Facts = dict[str, str | bool | Collection]
_AUDIENCE_WIDENED = gettext_noop(
    "The new readers would see the text that is live now, not this one. Publish the text first, or together with the "
    "change of readers."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An editor's changes, not validated yet; None leaves a field unchanged."""

    title: str | None = None
    body: str | None = None
    locale: str | None = None
    audience: str | None = None
    category: str | None = None
    url: str | None = None
    on_help_pages: bool | None = None
    for_assistant: bool | None = None
    collection: Collection | None = None

    def facts(self) -> Facts:
        """Return the validated metadata of the change. Raises InvalidDocument."""
        checks = {"locale": check_locale, "audience": check_audience, "category": check_category, "url": check_url}
        wanted = {name: (check, getattr(self, name)) for name, check in checks.items()}
        facts: Facts = {name: check(value) for name, (check, value) in wanted.items() if value is not None}
        facts |= {name: value for name in SWITCHES if (value := getattr(self, name)) is not None}
        return facts if self.collection is None else {**facts, "collection": self.collection}

    def in_current_terms(self) -> Facts:
        """Return the validated metadata, with the current name of the category. Raises InvalidDocument."""
        facts = self.facts()
        if category := facts.get("category"):
            facts["category"] = current_names([str(category)]).get(str(category), category)
            note_categories([str(facts["category"])])
        return facts


@transaction.atomic
def create_article(change: Change, *, external_id: str = "", author: User | None = None) -> Article:
    """Create an article as a draft. Raises InvalidDocument, or ArticleExists if the external id is taken."""
    wording, facts = check_article_text(change.title or "", change.body or ""), change.in_current_terms()
    if "locale" not in facts:
        facts["locale"] = language_of(wording, default_locale())
    if "collection" not in facts:
        facts["collection"] = collection_named(default_name())
    if external_id:
        article = _insert(check_external_id(external_id), facts)
    else:
        article = _insert_with_free_id(wording.title, facts)
    write_revisions([(article, wording)], author=author)
    return article


def default_locale() -> str:
    """Return the workspace's locale, which a new article gets unless its text is clearly in another language."""
    # Not checked: earlier versions accepted workspaces with a language that does not exist.
    return Workspace.objects.get(pk=current_workspace_id()).locale.lower()


@transaction.atomic
def save_draft(
    article_id: UUID,
    change: Change,
    *,
    author: User | None = None,
    based_on: int | None = None,
    is_published_at_once: bool = False,
) -> Article:
    """Save a new text as the next revision, which waits for `publish`; metadata such as the audience changes
    immediately.

    Raises ArticleChanged if `based_on` is no longer the newest revision's number, InvalidDocument or ArticleMissing.
    A new text together with a wider audience is refused too, unless the caller publishes it in the same transaction:
    until then, the new readers would see the live text, which was written for fewer people.
    """
    article = _locked(article_id)
    latest = article.latest_revision
    assert latest is not None, "an article is created together with its first revision"
    if based_on is not None and based_on != latest.number:
        problem = gettext(
            "Revision {number} has been saved in the meantime. Read it, then save your changes again."
        ).format(number=latest.number)
        raise ArticleChanged(problem, fields={"based_on": [problem]})
    title = latest.title if change.title is None else change.title
    wording = check_article_text(title, latest.body if change.body is None else change.body)
    is_text_changed = wording != check_article_text(latest.title, latest.body)  # older releases trimmed less
    facts = change.in_current_terms()
    if is_text_changed and article.is_live and not is_published_at_once and (field := _widened(article, facts)):
        raise InvalidDocument(gettext(_AUDIENCE_WIDENED), fields={field: [gettext(_AUDIENCE_WIDENED)]})
    _change_facts(article, facts, keeps_text=not is_text_changed)
    if is_text_changed:
        write_revisions([(article, wording)], author=author)
    return article


@transaction.atomic
def publish(article_id: UUID, *, revision: int | None = None) -> Article:
    """Publish the newest revision: customers read it and the assistant answers from it.

    Publishing again changes nothing. Text search finds it at commit; the index task adds its vectors. Raises
    ArticleMissing, or ArticleChanged if `revision` is no longer the newest one's number.
    """
    article = _locked(article_id)
    if revision is not None and article.latest_revision and article.latest_revision.number != revision:
        problem = gettext(
            "Revision {number} was saved while the gates were checking revision {judged}. Nothing was published."
        ).format(number=article.latest_revision.number, judged=revision)
        raise ArticleChanged(problem)
    if article.state != State.LIVE or article.live_revision_id != article.latest_revision_id:
        publish_articles([article])
    return article


def publish_through_gates(article: Article) -> Verdict:
    """Publish the newest revision of an article if the gates accept it and the article has not changed since it was
    read. This takes seconds.

    Raises GatesRefuse, or ArticleChanged if its text, readers or questions have changed since.
    """
    newest = article.latest_revision
    assert newest is not None, "an article is created together with its first revision"
    touched = {article.external_id: ChangedContent(check_article_text(newest.title, newest.body), article.locale)}
    verdict = verdict_on(lambda: publish(article.pk, revision=newest.number), touched, seconds=GATE_SECONDS)
    with transaction.atomic():
        lock_unchanged(article)
        publish(article.pk)
    return verdict


def try_change(article: Article, change: Change, phrasings: Sequence[str] | None) -> Verdict:
    """Let the gates check the parts of a change that affect a live article immediately: readers, language and
    phrasings.

    Raises GatesRefuse, and the errors of saving the change. Takes seconds.
    """
    live = article.live_revision
    if not article.is_live or live is None:
        return Verdict()
    vectors = phrasing_vectors(phrasings or ())

    def carry_out() -> None:
        saved = save_draft(article.pk, change)
        if phrasings is not None:
            set_phrasings(saved, phrasings)
            fill_phrasings([saved], vectors)

    named = tuple(dict.fromkeys([*phrasings_of(article), *(phrasings or ())]))
    locale = change.locale or article.locale
    touched = {article.external_id: ChangedContent(check_article_text(live.title, live.body), locale, named)}
    return verdict_on(carry_out, touched, seconds=GATE_SECONDS)


def lock_unchanged(article: Article) -> None:
    """Lock an article until the transaction ends. Raises ArticleChanged if it has changed since it was read."""
    if _locked(article.pk).updated_at != article.updated_at:
        raise ArticleChanged(
            gettext("Someone changed this article while the gates were checking it. Nothing was saved.")
        )


@transaction.atomic
def archive(article_id: UUID) -> Article:
    """Archive an article: nobody can read it any more, but its revisions are kept. Raises ArticleMissing."""
    article = _locked(article_id)
    if article.state != State.ARCHIVED:
        _archive_locked([article])
    return article


@transaction.atomic
def archive_where(which: Q) -> int:
    """Archive articles; return how many were not already archived."""
    rows = Article.objects.filter(which).exclude(state=State.ARCHIVED).order_by("id")
    ids = list(rows.values_list("pk", flat=True))
    for begin_at in range(0, len(ids), ARCHIVED_AT_ONCE):
        articles = lock_articles(Q(pk__in=ids[begin_at : begin_at + ARCHIVED_AT_ONCE]))
        _archive_locked([article for article in articles if article.state != State.ARCHIVED])
    return len(ids)


def _archive_locked(articles: Sequence[Article]) -> None:
    """Archive the articles and delete their chunk rows. Search covers only live articles, so they disappear at
    commit.
    """
    for article in articles:
        article.state, article.indexed_revision = State.ARCHIVED, None
    save_articles(articles, "state", "indexed_revision")
    Chunk.objects.filter(article__in=articles).delete()
    Plan.objects.filter(article__in=articles).delete()
    announce_changes(articles)


def _change_facts(article: Article, facts: Facts, *, keeps_text: bool) -> None:
    """Save changed metadata of a locked article; a live article is announced, and indexed again if its language
    changes.
    """
    changed = [name for name, value in facts.items() if getattr(article, name) != value]
    if not changed:
        return
    set_metadata(article, {name: facts[name] for name in changed}, keeps_text=keeps_text)
    article.save(update_fields=[*changed, "published_revisions", "updated_at"])
    if article.is_live:
        announce_changes([article])
        if "locale" in changed:
            fill_search_vectors([article.pk])


def _widened(article: Article, facts: Facts) -> str:
    """Return the field that lets more people read the article; "" if none does."""
    if is_wider(str(facts.get("audience", article.audience)), than=article.audience):
        return "audience"
    return "on_help_pages" if facts.get("on_help_pages") and not article.on_help_pages else ""


def _locked(article_id: UUID) -> Article:
    found = lock_articles(Q(pk=article_id))
    if not found:
        raise ArticleMissing
    return found[0]


def _insert(external_id: str, facts: Facts) -> Article:
    try:
        if leads_elsewhere(external_id):
            raise _exists(external_id)
        with transaction.atomic():
            article: Article = Article.objects.create(external_id=external_id, **facts)
            return article
    except IntegrityError as error:
        raise _exists(external_id) from error


def _insert_with_free_id(title: str, facts: Facts) -> Article:
    """Insert an article with an id that is readable in an address; retry if another article has just taken the id."""
    slug = slugify(title)[:80] or "article"
    try:
        return _insert(slug, facts)
    except ArticleExists:
        return _insert(f"{slug}-{uuid7().hex[-8:]}", facts)


def _exists(external_id: str) -> ArticleExists:
    message = gettext(
        "Another article already has the external id {external_id}. Choose another, or change that article."
    ).format(external_id=external_id)
    return ArticleExists(message, fields={"external_id": [message]})
