"""The effect of a publication on real questions: those whose answers quoted the article, and those nearest to its text.

The gates' cases run before a publication, while someone waits, and can stop it. Customers' questions cannot stop it and
take longer, so a worker asks them afterwards and compares the answers from the former text with those from the
published one. Articles published outside the console (by imports, sources, REST or schedules) are compared together.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.timezone import now

from kb.models import Article
from kb.models import State as ArticleState
from kb.revisions import TOPIC
from supportbot.chat.models import Citation
from supportbot.evals.articles.affected_questions import DAYS
from supportbot.evals.articles.batch_comparison import AFTER, BEFORE, UNREAD
from supportbot.evals.articles.draft_checks import (
    COMPARISONS,
    cancel_open,
    compared_in,
    facts_behind,
    is_current,
    newest_check,
)
from supportbot.evals.articles.earlier_articles import Facts, facts_before, facts_of
from supportbot.evals.build_fingerprint import product_mark
from supportbot.evals.models import ArticleCheck, ChangedArticle, DraftCheck
from supportbot.outbox.models import Announcement
from supportbot.releases.selectors import current, gates

MOST_TOGETHER: Final = 500  # articles per comparison
MOST_WAITING: Final = 20  # per workspace: publishing hundreds of articles must not keep its worker busy for hours
State = DraftCheck.State


@transaction.atomic
def compare_publication(article_id: UUID, former: Article | None) -> DraftCheck | None:
    """Have a worker compare the answers before and after a publication. `former` is the article as it was before; None
    if it is new.

    If the *Check* button has been used on this revision, its results are reused. Returns None if nothing was published,
    or if too many comparisons are waiting.
    """
    article = Article.objects.select_related("live_revision").get(pk=article_id)
    live, was = article.live_revision, former.live_revision if former and former.is_live else None
    if not article.is_live or live is None or live == was:
        return None
    # The article's earlier comparisons are outdated, and a check of this draft would compare the text with itself.
    cancel_open(_of_publications(article, live.number))
    checked = newest_check(article)
    facts: dict[str, Any] = {"article_id": article.pk, "revision": live.number, "gates": gates()}
    facts |= {
        "facts": facts_behind(article),
        "former": {**facts_before(article, now()), "revision": was.number if was else None},
        "lease_until": None,  # otherwise, a worker of the previous version would run it as the check of a draft
    }
    if checked is not None and is_current(checked):
        rows = compared_in(checked)
        items = [{"question": row["question"]} for row in rows]
        facts |= {"items": items, "rows": rows, "state": State.DONE, "finished_at": now()}
    elif _too_many_wait():
        return None
    return _stored(facts)


def compare_changes(articles: Sequence[Article], before: Mapping[str, Facts], *, since: datetime) -> DraftCheck | None:
    """Have a worker compare the answers from these articles' former states (`before`, by id) with the current answers.

    Articles that have not changed for customers are left out, and so are those that have had their own comparison since
    `since`, for example after a publication in the console. Returns None if no article is left, if there was no other
    live article before or after, or if too many comparisons are waiting.
    """
    after, own = facts_of(articles), _compared_since(articles, since)
    changes = {
        name: {BEFORE: before[name], AFTER: facts}
        for name, facts in after.items()
        if name in before and (name, facts["revision"]) not in own and _is_changed(before[name], facts)
    }
    if not changes or _is_first(changes) or _too_many_wait():
        return None
    kept = _most_quoted(list(changes))
    left_out = changes.keys() - set(kept)
    unread = [name for name in left_out if changes[name][BEFORE]["revision"] is None]
    return _stored(
        {
            "articles": {name: changes[name] for name in kept},
            "left_out": len(left_out),
            "facts": {"release": str(current().id), "product": product_mark(), UNREAD: unread},
            "lease_until": None,  # otherwise, a worker of the previous version would run it as the check of a draft
        }
    )


def _compared_since(articles: Sequence[Article], since: datetime) -> set[tuple[str, int | None]]:
    """Return the id and the compared revision of the articles that have had their own comparison."""
    about = Q(article_id__in=[one.pk for one in articles], former__isnull=False)
    rows = DraftCheck.objects.filter(about, created_at__gte=since).values_list("article_id", "revision")
    return {(str(pk), number) for pk, number in rows}


def _is_changed(before: Facts, after: Facts) -> bool:
    was, is_now = ({**one, "phrasings": sorted(one["phrasings"])} for one in (before, after))
    is_read = before["revision"] is not None or after["revision"] is not None
    return is_read and was != is_now


def _is_first(changes: Mapping[str, Mapping[str, Facts]]) -> bool:
    """Return whether no article was live before these, so that every answer would be new."""
    if any(both[BEFORE]["revision"] is not None for both in changes.values()):
        return False
    others = Article.objects.filter(state=ArticleState.LIVE).exclude(pk__in=[UUID(name) for name in changes])
    return not others.exists()


def _most_quoted(names: Sequence[str]) -> Sequence[str]:
    """Return the ids of at most `MOST_TOGETHER` of these articles: those that recent answers quoted most."""
    if len(names) <= MOST_TOGETHER:
        return names
    rows = Citation.objects.filter(article_id__in=names, message__created_at__gte=now() - timedelta(days=DAYS))
    counted = rows.order_by().values("article_id").annotate(number=Count("id")).values_list("article_id", "number")
    quoted = {str(pk): number for pk, number in counted}
    return sorted(names, key=lambda name: -quoted.get(name, 0))[:MOST_TOGETHER]


def _too_many_wait() -> bool:
    return bool(DraftCheck.objects.filter(COMPARISONS, state=State.WAITING).count() >= MOST_WAITING)


def newest_comparison(article: Article) -> DraftCheck | None:
    """Return the comparison of an article's newest publication, finished or not; None if there is none.

    Comparisons of revisions other than the live one belong to earlier publications.
    """
    live = article.live_revision if article.is_live else None
    number = live.number if live else None
    own = Q(article_id=article.pk, revision=number, former__isnull=False)
    together = Q(**{f"articles__{article.pk}__{AFTER}__revision": number})
    found: DraftCheck | None = DraftCheck.objects.filter(own | together).order_by("-created_at", "-id").first()
    return found


def awaited(article_ids: Collection[UUID]) -> bool:
    """Return whether a change to one of these articles is still waiting for its check, after which its comparison
    begins.
    """
    announced = Announcement.objects.filter(topic=TOPIC, delivered_at=None, object_id__in=article_ids)
    collected = ChangedArticle.objects.filter(article_id__in=article_ids)
    taken = ArticleCheck.objects.filter(state="running", comparison=None, articles__overlap=list(article_ids))
    return bool(announced.exists() or collected.exists() or taken.exists())


def outcomes_in(check: DraftCheck) -> Mapping[str, int]:
    """Return the number of compared questions for each outcome."""
    outcomes = [row["outcome"] for row in compared_in(check)]
    return {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}


def _of_publications(article: Article, revision: int) -> QuerySet[DraftCheck]:
    """Return the checks of a revision, and the comparisons of all revisions."""
    rows: QuerySet[DraftCheck] = DraftCheck.objects.filter(article_id=article.pk)
    return rows.filter(Q(revision=revision) | Q(former__isnull=False))


def _stored(facts: Mapping[str, Any]) -> DraftCheck | None:
    try:
        with transaction.atomic():
            made: DraftCheck = DraftCheck.objects.create(**facts)
            return made
    except IntegrityError:  # another process began one at the same time
        return None
