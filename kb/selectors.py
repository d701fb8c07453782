"""Reading articles for the API, the console and the gates."""

import hashlib
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from kb.errors import ArticleMissing
from kb.models import Article, Phrasing, State, Synonyms


def all_articles() -> QuerySet[Article]:
    """Return the workspace's articles in every state, with the fields that a list shows."""
    rows: QuerySet[Article] = Article.objects.select_related("workspace", "live_revision", "latest_revision")
    return rows.defer("live_revision__body", "latest_revision__body")


def article_with_id(article_id: UUID) -> Article:
    """Return an article with its texts; raises ArticleMissing."""
    article = (
        Article.objects.select_related("workspace", "live_revision", "latest_revision").filter(pk=article_id).first()
    )
    if article is None:
        raise ArticleMissing
    return article


def changed_for_readers(since: datetime) -> QuerySet[Article]:
    """Return the articles that changed for readers since a time, newest change first: they were published or archived,
    or got new readers or questions. Articles with only a new draft do not count.
    """
    changed = Article.objects.exclude(state=State.DRAFT).filter(updated_at__gte=since)
    is_drafted = Q(state=State.LIVE, published_at__lt=since) & ~Q(live_revision=F("latest_revision"))
    has_other_questions = Q(phrasings_at__gte=since)
    rows: QuerySet[Article] = changed.exclude(is_drafted & ~has_other_questions)
    return rows.select_related("latest_revision").order_by("-updated_at", "pk")


def snapshot_mark() -> dict[str, object]:
    """Return a fingerprint of the assistant's knowledge: the number of its articles, and a hash of their revisions,
    readers and languages, their curated questions, and the synonyms.
    """
    live = Article.objects.filter(state=State.LIVE, for_assistant=True)
    articles = list(live.order_by("pk").values_list("pk", "live_revision_id", "audience", "locale"))
    phrasings = Phrasing.objects.filter(article__in=live).order_by("article_id", "text")
    synonyms = sorted(Synonyms.objects.values_list("words", flat=True))
    facts = (articles, list(phrasings.values_list("article_id", "text")), synonyms)
    return {"articles": len(articles), "mark": hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}
