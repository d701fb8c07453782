"""Finding where the index has fallen behind the articles, and mending it.

A task that died, a message that was lost or a hand in the database leave traces: a live article whose
`indexed_revision` is not its live revision, chunk rows without a vector or of
another revision, rows of articles that are not live.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from kb.index import behind_in_rows, sync_articles
from kb.models import Article, Chunk, Recipe, State
from kb.recipes import active_recipe


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What was wrong in one workspace; all of it is right now."""

    articles: int
    embedded: int
    orphans: int


def articles_behind() -> list[UUID]:
    """Return the live articles of the workspace whose index does not match their live revision."""
    recipe = active_recipe()
    missing = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe, embedding=None)
    unmarked = Q(indexed_revision=None) | ~Q(indexed_revision=F("live_revision__number"))
    behind = Q(state=State.LIVE) & (unmarked | Q(Exists(missing))) | behind_in_rows(recipe)
    return list(Article.objects.filter(behind).order_by("id").values_list("pk", flat=True))


def repair_drift() -> DriftReport:
    """Mend the index of the workspace. Raises RecipeMismatch or EmbeddingUnavailable; what was mended stays so."""
    orphans = _remove_orphans(active_recipe())
    behind: Sequence[UUID] = articles_behind()
    report = sync_articles(behind)
    return DriftReport(articles=len(behind), embedded=report.embedded, orphans=orphans)


def _remove_orphans(recipe: Recipe) -> int:
    """Delete rows of articles that are not live; rows of another recipe are the business of `kb.reindex`."""
    removed, _ = Chunk.objects.filter(recipe=recipe).exclude(article__state=State.LIVE).delete()
    return removed
