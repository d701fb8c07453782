"""Sources for pages: lists, the latest run, items with their articles."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, Value, When

from kb.models import Article, State
from kb.sources.errors import SourceMissing
from kb.sources.models import Source, SourceItem, SourceRun

ItemState, Outcome = SourceItem.State, SourceItem.Outcome
# The order of items: those in progress first, then those that may need attention.
_ORDER: Final = (
    ItemState.READING, ItemState.CUTTING, ItemState.FAILED, ItemState.GONE, ItemState.EMBEDDING, ItemState.READY,
    ItemState.LEFT_OUT, ItemState.UNCHANGED, ItemState.QUEUED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run, and its results so far."""

    done: int
    total: int
    counts: dict[str, int]


def listed_sources() -> QuerySet[Source]:
    """Return the sources with their latest run, the end of the last finished run, and the number of live articles."""
    latest = SourceRun.objects.filter(source=OuterRef("pk")).order_by("-id")
    live = Article.objects.filter(source_item__source=OuterRef("pk"), state=State.LIVE).order_by()
    counted = live.values("source_item__source").annotate(number=Count("pk"))
    rows: QuerySet[Source] = Source.objects.select_related("collection").annotate(
        run_state=Subquery(latest.values("state")[:1]),
        run_mode=Subquery(latest.values("mode")[:1]),
        run_at=Subquery(latest.filter(ended_at__isnull=False).values("ended_at")[:1]),
        live_articles=Subquery(counted.values("number"), output_field=IntegerField()),
    )
    return rows


def latest_run(source: Source) -> SourceRun | None:
    return SourceRun.objects.filter(source=source).order_by("-id").first()


def progress_of(run: SourceRun) -> Progress:
    items = SourceItem.objects.filter(run=run).order_by()
    rows = list(items.values_list("outcome").annotate(number=Count("pk")))
    counts = {str(outcome): number for outcome, number in rows if outcome}
    total = sum(number for _, number in rows)
    waiting = items.filter(state__in=(ItemState.QUEUED, ItemState.READING, ItemState.CUTTING)).count()
    return Progress(total - waiting, total, counts)


def items_of(source: Source, outcome: str = "") -> QuerySet[SourceItem]:
    """Return a source's items, those in progress and those with a problem first."""
    rows = SourceItem.objects.filter(source=source).defer("held", "held_facts")
    if outcome in Outcome.values:
        rows = rows.filter(outcome=outcome)
    places = [When(state=state, then=Value(place)) for place, state in enumerate(_ORDER)]
    ordered = rows.annotate(place=Case(*places, default=Value(len(_ORDER)), output_field=IntegerField()))
    return ordered.order_by("place", "depth", "id")


def counts_of_items(source: Source) -> dict[str, int]:
    rows = SourceItem.objects.filter(source=source).exclude(outcome="").order_by()
    return {str(outcome): number for outcome, number in rows.values_list("outcome").annotate(number=Count("pk"))}


def articles_of(items: list[SourceItem]) -> dict[object, list[Article]]:
    """Return each item's articles that are not archived, by the item's id."""
    found: dict[object, list[Article]] = {}
    rows = Article.objects.filter(source_item__in=items).exclude(state=State.ARCHIVED).order_by("external_id")
    for article in rows.select_related("latest_revision").defer("latest_revision__body"):
        found.setdefault(article.source_item_id, []).append(article)
    return found


def changed_articles(source: Source) -> list[UUID]:
    """Return the articles whose items the source's latest run found new, changed or gone."""
    run = latest_run(source)
    if run is None:
        return []
    items = SourceItem.objects.filter(run=run, outcome__in=(Outcome.NEW, Outcome.CHANGED, Outcome.GONE))
    return list(Article.objects.filter(source_item__in=items).order_by("pk").values_list("pk", flat=True))


def count_unconfirmed() -> int:
    """Return how many sources are waiting for a person to confirm a loss."""
    return SourceRun.objects.filter(state=SourceRun.State.UNCONFIRMED).count()


def counts_of(run: SourceRun) -> dict[str, int]:
    """Return how many items of a run had each outcome."""
    rows = SourceItem.objects.filter(run=run).order_by().values_list("outcome").annotate(number=Count("pk"))
    return {str(outcome or "waiting"): number for outcome, number in rows}


def source_with_id(source_id: UUID) -> Source:
    """Return a source of this workspace; raises SourceMissing."""
    source = Source.objects.select_related("collection").filter(pk=source_id).first()
    if source is None:
        raise SourceMissing
    return source
