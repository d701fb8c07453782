"""Queries for the API and the help pages."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.core.cache import cache
from django.db.models import Case, F, Q, QuerySet, When

from kb.access import Viewer, readable
from kb.errors import ArticleMissing, CollectionMissing
from kb.help_centre.slugs import as_id
from kb.indexing.models import Chunk
from kb.models import Article, Collection, OldAddress, Phrasing, Revision, State, Synonyms
from kb.search.candidates import EXACT_UP_TO, approximate_neighbours, exact_neighbours, mean_vector, open_scope
from supportbot.language.detection import base_language
from supportbot.rate_counters import CACHE_AWAY

MOST_RELATED: Final = 4
_NEIGHBOURS: Final = 60
_RELATED_KEPT_SECONDS: Final = 3_600


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


def collection_with_id(collection_id: UUID) -> Collection:
    """Return a collection; raises CollectionMissing, which names the field, since the id comes from input."""
    collection = Collection.objects.filter(pk=collection_id).first()
    if collection is None:
        raise CollectionMissing(fields={"collection": [CollectionMissing.default_message]})
    return collection


def help_articles(viewer: Viewer, language: str) -> QuerySet[Article]:
    """Return the articles that the viewer may read in a language (`de` includes `de-at`), for a list of titles."""
    rows = readable(viewer).filter(Q(locale=language) | Q(locale__startswith=f"{language}-"))
    return rows.select_related("workspace", "collection", "live_revision").defer("live_revision__body")


def help_locales(viewer: Viewer) -> list[str]:
    """Return the locales of the articles that the viewer may read."""
    return list(readable(viewer).order_by().values_list("locale", flat=True).distinct())


def help_article(viewer: Viewer, name: str) -> Article:
    """Return the readable article with this name, former name, external id or id; raises ArticleMissing."""
    if "\x00" in name:  # the database would refuse it
        raise ArticleMissing
    rows = readable(viewer).select_related("workspace", "collection", "live_revision")
    named = rows.filter(Q(slug=name) | Q(external_id=name)).order_by(Case(When(slug=name, then=0), default=1))
    article = named.first()
    article_id = as_id(name)
    if article is None and article_id is not None:
        article = rows.filter(pk=article_id).first()
    if article is None:
        article = rows.filter(pk__in=OldAddress.objects.filter(name=name).values("article")).first()
    if article is None:
        raise ArticleMissing
    return article


def translations_of(article: Article, viewer: Viewer) -> list[Article]:
    """Return the translations of an article that the viewer may read, sorted by language."""
    source = article.translation_of_id or article.pk
    others = Q(pk=source) | Q(translation_of=source)
    rows = readable(viewer).filter(others).exclude(pk=article.pk).select_related("workspace", "live_revision")
    return list(rows.defer("live_revision__body").order_by("locale", "pk"))


def published_revision(article: Article, number: int) -> Revision | None:
    """Return a revision that is or was live for the current readers; others cannot be read by their number."""
    live = article.live_revision
    if article.is_live and live is not None and number == live.number:
        return live
    if number not in article.published_revisions:
        return None
    return Revision.objects.filter(article=article, number=number).first()


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


def related(article: Article, viewer: Viewer) -> list[Article]:
    """Return up to four other articles in the same language that the viewer may read, nearest in meaning first."""
    ids = _nearest_to(article, viewer)
    rows = readable(viewer).filter(pk__in=ids).select_related("workspace", "collection", "live_revision")
    found = {row.pk: row for row in rows.defer("live_revision__body")}
    return [found[key] for key in ids if key in found][:MOST_RELATED]


def _nearest_to(article: Article, viewer: Viewer) -> Sequence[UUID]:
    """Return the ids, cached for an hour, so callers must check again who may read them."""
    key = f"related:{article.pk}:{article.indexed_revision}:{viewer.audience}:{viewer.surface}"
    try:
        known = cache.get(key)
        if known is None:
            known = _measured_neighbours(article, viewer)
            cache.set(key, known, timeout=_RELATED_KEPT_SECONDS)
    except CACHE_AWAY:
        return _measured_neighbours(article, viewer)
    return list(known)


def _measured_neighbours(article: Article, viewer: Viewer) -> list[UUID]:
    scope, _ = open_scope(viewer)
    chunks = Chunk.objects.filter(article=article, recipe=scope.recipe, embedding__isnull=False)
    vector = mean_vector(scope, list(map(str, chunks.values_list("pk", flat=True))))
    if not vector:
        return []
    is_small = Chunk.objects.filter(recipe=scope.recipe)[: EXACT_UP_TO + 1].count() <= EXACT_UP_TO
    scan = exact_neighbours if is_small else approximate_neighbours
    near = scan(scope, vector, limit=_NEIGHBOURS)
    language = base_language(article.locale)
    others = (one.article_id for one in near if base_language(one.locale) == language)
    found = (UUID(key) for key in dict.fromkeys(others) if key is not None)
    return [key for key in found if key != article.pk][: 2 * MOST_RELATED]
