"""Checks after the fact: articles that were published without asking the gates are tried with their cases.

A change is noted in the transaction of its announcement and waits until nothing has changed for a while and the texts
are indexed, so that an import is checked once. A worker that dies leaves its check to the next one; playing it again
gives the same. Checked is what customers read now; a case that fails is played once more with the former texts in their
place, and reported if it passes with them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now

from kb.documents import ArticleText
from kb.models import Article, Revision, State
from kb.ports import Touched
from kb.revisions import archive_articles, lock_articles, publish_articles
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.errors import SupportBotError
from supportbot.evals.articles.rehearsal import fill_vectors, vectors_of
from supportbot.evals.articles.trials import Failure, broken, cases_about
from supportbot.evals.models import ArticleCheck
from supportbot.releases.selectors import gates

logger = logging.getLogger(__name__)
QUIET: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(minutes=10)  # for changes to end, and for the index
LEASE: Final = timedelta(minutes=15)
KEPT_FOR: Final = timedelta(days=30)
MOST: Final = 40  # failures that are kept
ArticleState = ArticleCheck.State


def note_change(article_id: UUID) -> None:
    """Have an article checked that has changed; without gates, nothing is. Safe to call twice."""
    if not gates():
        return
    waiting = _waiting(article_id)
    if article_id not in waiting.articles:
        waiting.articles = [*waiting.articles, article_id]
    waiting.lease_until = min(now() + QUIET, waiting.created_at + LONGEST_WAIT)
    waiting.save(update_fields=["articles", "lease_until"])


def _waiting(article_id: UUID) -> ArticleCheck:
    """Return the check that waits, locked; a new one if there is none."""
    found: ArticleCheck | None = ArticleCheck.objects.select_for_update().filter(state=ArticleState.WAITING).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made: ArticleCheck = ArticleCheck.objects.create(articles=[article_id])
            return made
    except IntegrityError:  # made at the same time
        return ArticleCheck.objects.select_for_update().get(state=ArticleState.WAITING)


def due_checks() -> list[tuple[UUID, UUID]]:
    """Return workspace and id of the checks to play now, the oldest first."""
    with across_workspaces("article checks that are due"):
        rows = ArticleCheck.objects.exclude(state=ArticleState.DONE).filter(lease_until__lte=now())
        return [(one.workspace_pk, one.pk) for one in rows.order_by("created_at")[:5] if _is_indexed(one)]


def _is_indexed(check: ArticleCheck) -> bool:
    """Return whether search knows the new texts by their meaning, or has had long enough to learn them."""
    if check.created_at < now() - LONGEST_WAIT:
        return True
    late = Article.objects.filter(pk__in=check.articles, state=State.LIVE, indexed_revision=None)
    return not late.exists()


def play_check(check_id: UUID) -> None:
    """Play a check and store what it found; does nothing if another worker has it. Takes minutes."""
    free = ArticleCheck.objects.exclude(state=ArticleState.DONE).filter(pk=check_id, lease_until__lte=now())
    if not free.update(state=ArticleState.RUNNING, lease_until=now() + LEASE):
        return
    check = ArticleCheck.objects.get(pk=check_id)
    found: list[Failure] = []
    played, problem = 0, ""
    try:
        found, played = _found(check.articles)
    except SupportBotError as error:  # such as a gate whose suite is gone
        logger.warning("article check %s: %s", check.pk, error.code)
        problem = error.message
    done: dict[str, Any] = {
        "failures": [_stored(one) for one in found[:MOST]],
        "played": played,
        "problem": problem[:300],
    }
    running = ArticleCheck.objects.filter(pk=check_id, state=ArticleState.RUNNING)
    running.update(state=ArticleState.DONE, lease_until=None, finished_at=now(), **done)


def _found(article_ids: Sequence[UUID]) -> tuple[list[Failure], int]:
    articles = list(Article.objects.filter(pk__in=article_ids).select_related("live_revision", "latest_revision"))
    touched = {one.external_id: Touched(_words(one), one.locale) for one in articles}
    cases = cases_about(touched)
    workspace = Workspace.objects.get(pk=current_workspace_id())
    failures, untried = broken(cases, None, partial(_former, articles), workspace=workspace, seconds=600)
    return failures, len(cases) - untried


def _words(article: Article) -> ArticleText:
    shown = article.live_revision or article.latest_revision
    assert shown is not None, "an article is created together with its first revision"
    return ArticleText(shown.title, shown.body)


def _former(articles: Sequence[Article]) -> Callable[[], None]:
    """Return what puts the former texts back: of a new article none, of an archived one the one it had."""
    former = {article.pk: _former_revision(article) for article in articles}
    texts = [ArticleText(one.title, one.body) for one in former.values() if one is not None]
    vectors = {key: one for text in texts for key, one in vectors_of(text).items()}
    return partial(_put_back, former, vectors)


def _former_revision(article: Article) -> Revision | None:
    if article.state == State.ARCHIVED:
        return article.live_revision
    live = article.live_revision
    earlier = [number for number in article.published_revisions if live is not None and number < live.number]
    return Revision.objects.filter(article=article, number=max(earlier)).first() if earlier else None


def _put_back(former: Mapping[UUID, Revision | None], vectors: Mapping[str, Sequence[float]]) -> None:
    live, gone = [], []
    for article in lock_articles(Q(pk__in=list(former))):
        revision = former[article.pk]
        if revision is None:
            gone.append(article)
        else:
            article.latest_revision = revision
            live.append(article)
    publish_articles(live)
    archive_articles(gone)
    fill_vectors(vectors)


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
    for check in checks().filter(state=ArticleState.DONE, problem="", created_at__gte=now() - KEPT_FOR)[:50]:
        if not seen.issuperset(check.articles):
            found += [(check, failure) for failure in check.failures]
        seen.update(check.articles)
    return found


def purge_checks() -> None:
    """Delete old checks of all workspaces."""
    with across_workspaces("old article checks"):
        ArticleCheck.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
