"""Checks after the fact: articles that were published without asking the gates are tried with their cases.

A change is noted in the transaction of its announcement and waits until nothing has changed for a while and the texts
are indexed, so that an import is checked once. A worker that dies leaves its check to the next one; playing it again
gives the same. Checked is what customers read now; a case that fails is played once more with the former texts and
phrasings in their place, and reported if it passes with them. No row is locked while it searches.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from kb.documents import ArticleText
from kb.models import Article, State
from kb.ports import Touched
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.errors import SupportBotError
from supportbot.evals.articles.former import former_state
from supportbot.evals.articles.trials import Failure, as_it_is, broken, cases_about, sources_of
from supportbot.evals.models import ArticleCheck, ChangedArticle
from supportbot.evals.wording import stopped
from supportbot.releases.selectors import gates

logger = logging.getLogger(__name__)
QUIET: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(minutes=10)  # for changes to end, and for the index
LEASE: Final = timedelta(minutes=15)  # longer than a check takes: twice `SECONDS`, and vectors
SECONDS: Final = 240.0  # to search with the new texts, and again with the former ones
MOST_CASES: Final = 300
MOST_ATTEMPTS: Final = 3
RETRIED_AFTER: Final = timedelta(minutes=1)
AT_ONCE: Final = 5  # checks of a tick
KEPT_FOR: Final = timedelta(days=30)
MOST: Final = 40  # failures that are kept
CheckState = ArticleCheck.State


def note_change(article_id: UUID, at: datetime) -> None:
    """Have an article checked that has changed at this time; without gates, nothing is. Safe to call twice."""
    if not gates():
        return
    waiting = _waiting(at)
    ChangedArticle.objects.bulk_create([ChangedArticle(article_id=article_id)], ignore_conflicts=True)
    waiting.lease_until = min(now() + QUIET, waiting.created_at + LONGEST_WAIT)
    waiting.save(update_fields=["lease_until"])


def _waiting(at: datetime) -> ArticleCheck:
    """Return the check that waits, locked; a new one if there is none."""
    found: ArticleCheck | None = ArticleCheck.objects.select_for_update().filter(state=CheckState.WAITING).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made: ArticleCheck = ArticleCheck.objects.create(articles=[], since=at)
            return made
    except IntegrityError:  # made at the same time
        return ArticleCheck.objects.select_for_update().get(state=CheckState.WAITING)


def checked_articles(check: ArticleCheck) -> list[UUID]:
    """Return the articles that a check is about; a waiting one still collects them."""
    if check.state != CheckState.WAITING:
        return list(check.articles)
    collected = ChangedArticle.objects.order_by("id").values_list("article_id", flat=True)
    return list(dict.fromkeys([*check.articles, *collected]))


def due_checks() -> list[tuple[UUID, UUID]]:
    """Return workspace and id of the checks to play now; one that has just failed comes after the others."""
    with across_workspaces("article checks that are due"):
        rows = ArticleCheck.objects.exclude(state=CheckState.DONE).filter(lease_until__lte=now())
        due = (one for one in rows.order_by("lease_until", "created_at").iterator(chunk_size=50) if _is_indexed(one))
        return [(one.workspace_pk, one.pk) for one in islice(due, AT_ONCE)]


def _is_indexed(check: ArticleCheck) -> bool:
    """Return whether search knows the new texts by their meaning, or has had long enough to learn them."""
    if check.created_at < now() - LONGEST_WAIT:
        return True
    late = Article.objects.filter(state=State.LIVE, indexed_revision=None)
    if check.state == CheckState.WAITING:
        collected = ChangedArticle.objects.filter(workspace=check.workspace_pk)
        return not late.filter(pk__in=collected.values("article_id")).exists()
    return not late.filter(pk__in=check.articles).exists()


def play_check(check_id: UUID) -> None:
    """Play a check and store what it found; does nothing if another worker has it. Takes minutes."""
    check = _claim(check_id)
    if check is None:
        return
    try:
        _settle(check, **_found(check))
    except SupportBotError as error:  # such as a gate whose suite is gone
        logger.warning("article check %s: %s", check.pk, error.code)
        _settle(check, problem=error.message[:300])
    except Exception:  # the edge of a task: it is tried again, and given up after some attempts
        logger.exception("article check %s failed", check.pk)
        if check.attempt >= MOST_ATTEMPTS:
            _settle(check, problem=stopped()[:300])
        else:
            _mine(check).update(lease_until=now() + check.attempt * RETRIED_AFTER)


@transaction.atomic
def _claim(check_id: UUID) -> ArticleCheck | None:
    """Return a check that nobody holds, held by this attempt: earlier ones can write no more."""
    rows = ArticleCheck.objects.select_for_update().exclude(state=CheckState.DONE).filter(pk=check_id)
    check: ArticleCheck | None = rows.filter(lease_until__lte=now()).first()
    if check is None:
        return None
    if check.state == CheckState.WAITING:
        check.articles = checked_articles(check)
        ChangedArticle.objects.all().delete()
    check.state, check.lease_until, check.attempt = CheckState.RUNNING, now() + LEASE, check.attempt + 1
    check.save(update_fields=["articles", "state", "lease_until", "attempt"])
    if check.attempt > MOST_ATTEMPTS:  # each time, its worker died
        _settle(check, problem=stopped()[:300])
        return None
    return check


def _settle(check: ArticleCheck, **facts: Any) -> None:
    _mine(check).update(state=CheckState.DONE, lease_until=None, finished_at=now(), **facts)


def _mine(check: ArticleCheck) -> QuerySet[ArticleCheck]:
    """Return the row of a check if this attempt still holds it."""
    rows: QuerySet[ArticleCheck] = ArticleCheck.objects.filter(pk=check.pk, state=CheckState.RUNNING)
    return rows.filter(attempt=check.attempt)


def _found(check: ArticleCheck) -> dict[str, Any]:
    """Return what a check says: which cases fail, how many were played, and how many there was no time for."""
    rows = Article.objects.filter(pk__in=check.articles).select_related("live_revision", "latest_revision")
    articles = list(rows)
    touched = {one.external_id: Touched(_words(one), one.locale, tuple(one.former_phrasings or ())) for one in articles}
    cases = sorted(cases_about(touched), key=lambda one: sources_of(one[1]).isdisjoint(touched))
    workspace = Workspace.objects.get(pk=current_workspace_id())
    before = partial(former_state, articles, check.since or check.created_at)
    failures, untried = broken(cases[:MOST_CASES], as_it_is, before, workspace=workspace, seconds=SECONDS)
    untried += len(cases[MOST_CASES:])
    return {
        "failures": [_stored(one) for one in failures[:MOST]],
        "played": len(cases) - untried,
        "untried": untried,
    }


def _words(article: Article) -> ArticleText:
    shown = article.live_revision or article.latest_revision
    assert shown is not None, "an article is created together with its first revision"
    return ArticleText(shown.title, shown.body)


def _stored(failure: Failure) -> dict[str, Any]:
    return {
        "case": failure.name,
        "question": failure.question,
        "before": failure.before.text,
        "after": failure.after.text,
        "reasons": list(failure.reasons),
    }


def checks() -> QuerySet[ArticleCheck]:
    """Return the workspace's checks, the newest first."""
    rows: QuerySet[ArticleCheck] = ArticleCheck.objects.order_by("-created_at", "-id")
    return rows


def broken_now() -> list[tuple[ArticleCheck, dict[str, Any]]]:
    """Return the cases that a published text has broken and no later check of its articles has found mended."""
    seen: set[UUID] = set()
    found = []
    for check in checks().filter(state=CheckState.DONE, problem="", created_at__gte=now() - KEPT_FOR)[:50]:
        if not seen.issuperset(check.articles):
            found += [(check, failure) for failure in check.failures]
        seen.update(check.articles)
    return found


def purge_checks() -> None:
    """Delete old checks of all workspaces."""
    with across_workspaces("old article checks"):
        ArticleCheck.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
