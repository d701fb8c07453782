"""What an editor or a program can do with knowledge. One call, one transaction, the outbox row in the same commit."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.text import slugify

from kb.access import is_wider
from kb.collections import DEFAULT_NAME, collection_named
from kb.documents import check_audience, check_category, check_external_id, check_locale, check_url
from kb.documents import check_wording as checked
from kb.errors import ArticleChanged, ArticleExists, ArticleMissing, InvalidDocument
from kb.importing.importer import ImportReport, import_documents, import_drafts, preview_import
from kb.indexing.lexical import fill_search_vectors
from kb.models import Article, Collection, State
from kb.revisions import lock_articles, make_live, set_facts, take_down, tell, write_revisions
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.ids import uuid7

__all__ = [
    "Change",
    "ImportReport",
    "archive",
    "collection_named",
    "create_article",
    "import_documents",
    "import_drafts",
    "preview_import",
    "publish",
    "save_draft",
]
_OPENED_TOO_SOON = (
    "These readers would see the words that are live now, not these: publish both at once, or publish the words first "
    "and widen the readers then."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an editor wants different; None leaves a thing as it is. Not checked yet."""

    title: str | None = None
    body: str | None = None
    locale: str | None = None
    audience: str | None = None
    category: str | None = None
    url: str | None = None
    collection: Collection | None = None

    def facts(self) -> dict[str, str | Collection]:
        """Return the checked values of what is wanted beside the words. Raises InvalidDocument."""
        checks = {"locale": check_locale, "audience": check_audience, "category": check_category, "url": check_url}
        wanted = {name: (check, getattr(self, name)) for name, check in checks.items()}
        facts: dict[str, str | Collection] = {
            name: check(value) for name, (check, value) in wanted.items() if value is not None
        }
        return facts if self.collection is None else {**facts, "collection": self.collection}


@transaction.atomic
def create_article(change: Change, *, external_id: str = "", author: User | None = None) -> Article:
    """Write a new article as a draft. Raises InvalidDocument, or ArticleExists if the external id is taken."""
    wording, facts = checked(change.title or "", change.body or ""), change.facts()
    facts.setdefault("locale", check_locale(Workspace.objects.get(pk=current_workspace_id()).locale))
    facts.setdefault("collection", change.collection or collection_named(DEFAULT_NAME))
    article = _insert(check_external_id(external_id) if external_id else _free_external_id(wording.title), facts)
    write_revisions([(article, wording)], author=author)
    return article


@transaction.atomic
def save_draft(
    article_id: UUID,
    change: Change,
    *,
    author: User | None = None,
    based_on: int | None = None,
    is_published_at_once: bool = False,
) -> Article:
    """Save new words as the next revision, which waits for `publish`; facts such as the audience hold at once.

    Raises ArticleChanged if `based_on` is not the newest revision's number any more, InvalidDocument, ArticleMissing.
    New words for more readers are refused as well, unless the caller publishes them in the same transaction: until then
    those readers would be shown the words that are live, and were written for fewer.
    """
    article = _locked(article_id)
    latest = article.latest_revision
    assert latest is not None, "an article is made together with its first revision"
    if based_on is not None and based_on != latest.number:
        problem = f"Revision {latest.number} was saved meanwhile. Read it, then save again on top of it."
        raise ArticleChanged(problem, fields={"based_on": [problem]})
    title = latest.title if change.title is None else change.title
    wording = checked(title, latest.body if change.body is None else change.body)
    is_reworded = wording != checked(latest.title, latest.body)  # an older release trimmed less
    facts = change.facts()
    is_opened = is_wider(str(facts.get("audience", article.audience)), than=article.audience)
    if is_reworded and is_opened and article.is_live and not is_published_at_once:
        raise InvalidDocument(_OPENED_TOO_SOON, fields={"audience": [_OPENED_TOO_SOON]})
    _change_facts(article, facts, words_stay=not is_reworded)
    if is_reworded:
        write_revisions([(article, wording)], author=author)
    return article


@transaction.atomic
def publish(article_id: UUID) -> Article:
    """Make the newest revision the one customers read and the assistant answers from. Raises ArticleMissing.

    Publishing what is live already changes nothing. Vectors follow by the index task; text search has it at commit.
    """
    article = _locked(article_id)
    if article.state != State.LIVE or article.live_revision_id != article.latest_revision_id:
        make_live([article])
    return article


@transaction.atomic
def archive(article_id: UUID) -> Article:
    """Take an article away from everybody at once; its revisions stay. Raises ArticleMissing."""
    article = _locked(article_id)
    if article.state != State.ARCHIVED:
        take_down([article])
    return article


def _change_facts(article: Article, facts: dict[str, str | Collection], *, words_stay: bool) -> None:
    """Store what differs of a locked article; a live one is announced, and a new language re-reads its words."""
    changed = [name for name, value in facts.items() if getattr(article, name) != value]
    if not changed:
        return
    set_facts(article, {name: facts[name] for name in changed}, words_stay=words_stay)
    article.save(update_fields=[*changed, "published_revisions", "updated_at"])
    if article.is_live:
        tell([article])
        if "locale" in changed:
            fill_search_vectors([article.pk])


def _locked(article_id: UUID) -> Article:
    found = lock_articles(Q(pk=article_id))
    if not found:
        raise ArticleMissing
    return found[0]


def _insert(external_id: str, facts: dict[str, str | Collection]) -> Article:
    try:
        with transaction.atomic():
            article: Article = Article.objects.create(external_id=external_id, **facts)
            return article
    except IntegrityError as error:
        message = f"Another article already has the external id {external_id}. Choose another, or change that article."
        raise ArticleExists(message, fields={"external_id": [message]}) from error


def _free_external_id(title: str) -> str:
    """Return an id a reader can make sense of in an address."""
    slug = slugify(title)[:80] or "article"
    return f"{slug}-{uuid7().hex[-8:]}" if Article.objects.filter(external_id=slug).exists() else slug
