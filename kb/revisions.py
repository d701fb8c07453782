"""Writing revisions and moving articles' pointers, with the same few statements for one article or hundreds.

Everything that writes runs inside the caller's transaction, on articles that the caller has locked (`lock_articles`).
"""

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q, Subquery
from django.utils import timezone

from kb.access import is_wider
from kb.indexing.recipes import hold_active_recipe, lock_active_recipe
from kb.indexing.sync import replace_chunks
from kb.models import Article, Plan, Revision, State
from kb.pictures import note_uses
from kb.validation import ArticleText
from supportbot.accounts.models import User
from supportbot.accounts.scope import current_workspace_id
from supportbot.outbox.services import announce

TOPIC = "article_changed"


def lock_articles(which: Q) -> list[Article]:
    """Return this workspace's matching articles with both revisions, locked in the order of their ids.

    The active recipe cannot change while they are locked, since the caller may publish them.
    """
    hold_active_recipe()
    rows = Article.objects.filter(which).select_related("live_revision", "latest_revision")
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("id"))


def write_revisions(wordings: Sequence[tuple[Article, ArticleText]], *, author: User | None = None) -> None:
    """Add the next revision to each article and point `latest_revision` at it; live pointers stay unchanged."""
    add_revisions(wordings, author=author)
    note_uses((article, wording.body) for article, wording in wordings)


def add_revisions(wordings: Sequence[tuple[Article, ArticleText]], *, author: User | None = None) -> None:
    """Like `write_revisions`, but without recording which pictures are used, since that would lock them; for changes
    that are rolled back.
    """
    revisions = [_next_revision(article, wording, author) for article, wording in wordings]
    Revision.objects.bulk_create(revisions)
    for revision in revisions:
        revision.article.latest_revision = revision
    save_articles([revision.article for revision in revisions], "latest_revision")


def publish_articles(articles: Sequence[Article]) -> None:
    """Publish each article's latest revision; it is found by words at commit, and by meaning once its vectors exist."""
    now = timezone.now()
    for article in articles:
        article.live_revision, article.state, article.published_at = article.latest_revision, State.LIVE, now
        article.indexed_revision = None
        article.published_revisions = _with_number(article.published_revisions, article.live_revision)
    save_articles(articles, "live_revision", "state", "published_at", "indexed_revision", "published_revisions")
    _mark_translations(articles)
    Plan.objects.filter(article__in=articles, step=Plan.Step.PUBLISH).delete()
    reviewed = Article.objects.filter(pk__in=[article.pk for article in articles], reviewer__isnull=False)
    reviewed.update(reviewer=None, review_asked_by=None)
    replace_chunks(articles, lock_active_recipe())
    announce_changes(articles)


def _mark_translations(articles: Sequence[Article]) -> None:
    """Record, for each translation, which revision of its source it now corresponds to."""
    for article in articles:
        if article.translation_of_id is not None:
            live = Article.objects.filter(pk=article.translation_of_id).values("live_revision__number")[:1]
            Article.objects.filter(pk=article.pk).update(translated_revision=Subquery(live))


def set_metadata(article: Article, facts: Mapping[str, object], *, keeps_text: bool) -> None:
    """Set an article's metadata; the caller saves it, with `published_revisions`.

    If more people may read the article from now on, earlier revisions were not meant for them: only the live one stays
    readable by its number, and not even that one if the text changes together with the audience.
    """
    before, was_on_help_pages = article.audience, article.on_help_pages
    for name, value in facts.items():
        setattr(article, name, value)
    is_new_on_help_pages = article.on_help_pages and not was_on_help_pages
    if is_wider(article.audience, than=before) or is_new_on_help_pages:
        live = article.live_revision if article.is_live and keeps_text else None
        article.published_revisions = [live.number] if live else []


def announce_changes(articles: Iterable[Article]) -> None:
    """Announce each article; call this in the transaction that changes it."""
    for article in articles:
        announce(TOPIC, article.pk, workspace_id=current_workspace_id())


def _with_number(numbers: list[int], revision: Revision | None) -> list[int]:
    assert revision is not None, "only articles with a revision are published"
    return numbers if revision.number in numbers else [*numbers, revision.number]


def _next_revision(article: Article, wording: ArticleText, author: User | None) -> Revision:
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
    """Save the fields of all articles in one statement, with `updated_at`, which `bulk_update` does not set."""
    now = timezone.now()
    for article in articles:
        article.updated_at = now
    Article.objects.bulk_update(articles, [*fields, "updated_at"], batch_size=200)


def published_revision(article: Article, number: int) -> Revision | None:
    """Return a revision that is or was live for the current readers; others cannot be read by their number."""
    live = article.live_revision
    if article.is_live and live is not None and number == live.number:
        return live
    if number not in article.published_revisions:
        return None
    return Revision.objects.filter(article=article, number=number).first()
