"""Articles similar in meaning to another one, for the end of its help page."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.core.cache import cache

from kb.access import Viewer, readable
from kb.models import Article, Chunk
from kb.search.candidates import EXACT_UP_TO, approximate_neighbours, exact_neighbours, mean_vector, open_scope
from supportbot.counting import CACHE_AWAY
from supportbot.language.detection import base_language

MOST: Final = 4
_LOOKED_AT: Final = 60
_KEPT_SECONDS: Final = 3_600


def related(article: Article, viewer: Viewer) -> list[Article]:
    """Return up to four other articles in the same language that the viewer may read, nearest first."""
    ids = _nearest(article, viewer)
    rows = readable(viewer).filter(pk__in=ids).select_related("workspace", "collection", "live_revision")
    found = {row.pk: row for row in rows.defer("live_revision__body")}
    return [found[key] for key in ids if key in found][:MOST]


def _nearest(article: Article, viewer: Viewer) -> Sequence[UUID]:
    """Return the ids, cached for an hour, so callers must check again who may read them."""
    key = f"related:{article.pk}:{article.indexed_revision}:{viewer.audience}:{viewer.surface}"
    try:
        known = cache.get(key)
        if known is None:
            known = _measured(article, viewer)
            cache.set(key, known, timeout=_KEPT_SECONDS)
    except CACHE_AWAY:
        return _measured(article, viewer)
    return list(known)


def _measured(article: Article, viewer: Viewer) -> list[UUID]:
    scope, _ = open_scope(viewer)
    chunks = Chunk.objects.filter(article=article, recipe=scope.recipe, embedding__isnull=False)
    vector = mean_vector(scope, list(chunks.values_list("pk", flat=True)))
    if not vector:
        return []
    is_small = Chunk.objects.filter(recipe=scope.recipe)[: EXACT_UP_TO + 1].count() <= EXACT_UP_TO
    scan = exact_neighbours if is_small else approximate_neighbours
    near = scan(scope, vector, limit=_LOOKED_AT)
    language = base_language(article.locale)
    others = (one.article_id for one in near if base_language(one.locale) == language)
    return [key for key in dict.fromkeys(others) if key is not None and key != article.pk][: 2 * MOST]
