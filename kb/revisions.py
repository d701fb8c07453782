"""Writing revisions and moving an article's pointers, for one article or for hundreds in the same few statements.

Everything here runs inside the caller's transaction on articles the caller has locked (`lock_articles`).
"""

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q
from django.utils import timezone

from kb.access import is_wider
from kb.documents import Wording
from kb.indexing.index import replace_chunks
from kb.indexing.recipes import hold_active_recipe
from kb.models import Article, Chunk, Revision, State
from supportbot.accounts.models import User
from supportbot.accounts.scope import current_workspace_id
from supportbot.outbox.services import announce

TOPIC = "article_changed"


def lock_articles(which: Q) -> list[Article]:
    """Return this workspace's matching articles with both revisions, locked in the order of their ids."""
    rows = Article.objects.filter(which).select_related("live_revision", "latest_revision")
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("id"))


def write_revisions(wordings: Sequence[tuple[Article, Wording]], *, author: User | None = None) -> None:
    """Add the next revision to each article and point `latest_revision` at it; live pointers stay where they are."""
    revisions = [_next_revision(article, wording, author) for article, wording in wordings]
    Revision.objects.bulk_create(revisions)
    for revision in revisions:
        revision.article.latest_revision = revision
    save_articles([revision.article for revision in revisions], "latest_revision")


def make_live(articles: Sequence[Article]) -> None:
    """Publish the latest revision of each: findable by text at commit, by meaning once its vectors are there."""
    now = timezone.now()
    for article in articles:
        article.live_revision, article.state, article.published_at = article.latest_revision, State.LIVE, now
        article.indexed_revision = None
        article.published_revisions = _with_number(article.published_revisions, article.live_revision)
    save_articles(articles, "live_revision", "state", "published_at", "indexed_revision", "published_revisions")
    replace_chunks(articles, hold_active_recipe())
    tell(articles)


def set_facts(article: Article, facts: Mapping[str, object], *, words_stay: bool) -> None:
    """Set what is said of an article beside its words; the caller saves it, with `published_revisions`.

    Where more people may read it from now on, earlier revisions were not meant for them: only the live one stays
    readable by its number, and not even that where other words come with the wider audience.
    """
    before = article.audience
    for name, value in facts.items():
        setattr(article, name, value)
    if is_wider(article.audience, than=before):
        live = article.live_revision if article.is_live and words_stay else None
        article.published_revisions = [live.number] if live else []


def take_down(articles: Sequence[Article]) -> None:
    """Archive each: search joins on live articles, so they are gone at commit; their chunk rows go with them."""
    for article in articles:
        article.state, article.indexed_revision = State.ARCHIVED, None
    save_articles(articles, "state", "indexed_revision")
    Chunk.objects.filter(article__in=articles).delete()
    tell(articles)


def tell(articles: Iterable[Article]) -> None:
    """Announce each in the commit that changes it."""
    for article in articles:
        announce(TOPIC, article.pk, workspace_id=current_workspace_id())


def _with_number(numbers: list[int], revision: Revision | None) -> list[int]:
    assert revision is not None, "only articles with a revision are published"
    return numbers if revision.number in numbers else [*numbers, revision.number]


def _next_revision(article: Article, wording: Wording, author: User | None) -> Revision:
    latest = article.latest_revision
    return Revision(
        workspace_id=article.workspace_id,
        article=article,
        number=latest.number + 1 if latest else 1,
        title=wording.title,
        body=wording.body,
        body_hash=wording.body_hash,
        author=author,
    )


def save_articles(articles: Sequence[Article], *fields: str) -> None:
    """Write the fields of all in one statement, and the time, which `bulk_update` leaves to its caller."""
    now = timezone.now()
    for article in articles:
        article.updated_at = now
    Article.objects.bulk_update(articles, [*fields, "updated_at"], batch_size=200)
