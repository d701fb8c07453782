"""What a publication changes for real questions: those whose answers quoted the article, and the nearest to its text.

The gates' cases decide before it is published, while somebody waits. Customers' questions decide nothing, and asking
them takes longer: a worker compares the answers from the former text with those from the published one.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.timezone import now

from kb.models import Article
from supportbot.evals.articles.draft_checks import compared_in, facts_behind, is_current, newest_check
from supportbot.evals.articles.earlier_articles import facts_before
from supportbot.evals.models import DraftCheck
from supportbot.releases.selectors import gates

MOST_WAITING: Final = 20  # of a workspace: publishing hundreds of articles must not keep its worker busy for hours
State = DraftCheck.State


@transaction.atomic
def compare_publication(article_id: UUID, former: Article | None) -> DraftCheck | None:
    """Have a worker compare what customers' questions got and get; `former` is the article as it was, None if new.

    What *Check* has found for this revision is not run again. None if nothing was published, or if too many wait.
    """
    article = Article.objects.select_related("live_revision").get(pk=article_id)
    live, was = article.live_revision, former.live_revision if former and former.is_live else None
    if not article.is_live or live is None or live == was:
        return None
    # The article's earlier comparisons are out of date; a check of this draft would compare the text with itself.
    _open(article, live.number).update(state=State.CANCELLED, lease_until=None)
    checked = newest_check(article)
    facts: dict[str, Any] = {"article_id": article.pk, "revision": live.number, "gates": gates()}
    facts |= {
        "facts": facts_behind(article),
        "former": {**facts_before(article, now()), "revision": was.number if was else None},
        "lease_until": None,  # a worker of the previous version would take it for a draft
    }
    if checked is not None and is_current(checked):
        rows = compared_in(checked)
        items = [{"question": row["question"]} for row in rows]
        facts |= {"items": items, "rows": rows, "state": State.DONE, "finished_at": now()}
    elif DraftCheck.objects.filter(state=State.WAITING, former__isnull=False).count() >= MOST_WAITING:
        return None
    return _stored(facts)


def newest_comparison(article: Article) -> DraftCheck | None:
    """Return what the newest publication of an article has changed, as far as it is known."""
    live = article.live_revision
    rows = DraftCheck.objects.filter(article_id=article.pk, revision=live.number if live else 0, former__isnull=False)
    found: DraftCheck | None = rows.order_by("-created_at", "-id").first()
    return found


def outcomes_in(check: DraftCheck) -> Mapping[str, int]:
    """Return how many of the compared questions have each outcome."""
    outcomes = [row["outcome"] for row in compared_in(check)]
    return {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}


def _open(article: Article, revision: int) -> Any:
    """Return the open checks of a revision, and the open comparisons of all revisions."""
    rows = DraftCheck.objects.filter(article_id=article.pk, state__in=("waiting", "running"))
    return rows.filter(Q(revision=revision) | Q(former__isnull=False))


def _stored(facts: Mapping[str, Any]) -> DraftCheck | None:
    try:
        with transaction.atomic():
            made: DraftCheck = DraftCheck.objects.create(**facts)
            return made
    except IntegrityError:  # begun at the same time
        return None
