"""Checks after a publication: runs the gates' cases on articles that were published without the gates.

A change is noted in the transaction that announces it. Its check waits until nothing has changed for a while and the
texts are indexed, so an import is checked only once. If a worker dies, the next one repeats its check with the same
result.

A case that fails with the articles that customers read now is run once more with the articles from the last check, and
reported if it passes with them. Each later check runs the reported cases again until they pass or are dismissed, so no
failure is lost. No row is locked during searches. Another task compares the answers to customers' questions
(`publication_comparison`).
"""

import logging
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.timezone import now

from kb.database_time import database_now
from kb.models import Article, State
from kb.ports import ChangedContent
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.errors import SupportBotError
from supportbot.evals.articles.article_gates import (
    MAX_APART,
    Failure,
    as_it_is,
    broken,
    cases_about,
    name_of,
    passing,
    quotation_cases,
    sources_of,
)
from supportbot.evals.articles.broken_cases import broken_now, seen_last
from supportbot.evals.articles.earlier_articles import MARGIN, READ_BY, Facts, facts_before, facts_of, former_state
from supportbot.evals.articles.publication_comparison import compare_changes
from supportbot.evals.models import ArticleCheck, ChangedArticle
from supportbot.evals.result_texts import stopped
from supportbot.evals.suite_formats.own_format import Case
from supportbot.releases.selectors import had_gates_at

logger = logging.getLogger(__name__)
QUIET: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(minutes=10)  # how long a check waits for changes to stop and for the index
LEASE: Final = timedelta(minutes=20)  # longer than a check takes: three times `SECONDS`, plus making vectors
# The time limit for searching. It applies separately to the reported cases, the other cases and the repetition with the
# former texts.
SECONDS: Final = 240.0
MOST_CASES: Final = 300
MOST_ATTEMPTS: Final = 3
RETRIED_AFTER: Final = timedelta(minutes=1)
AT_ONCE: Final = 5  # checks per tick
MOST_LOOKED_AT: Final = 500
CheckState = ArticleCheck.State


def note_change(article_id: UUID, at: datetime) -> None:
    """Queue a check of an article that was changed at this time. Idempotent.

    If the workspace had no gates at the time of the changes, no cases are run, and only the answers to customers'
    questions are compared.
    """
    waiting = _waiting(at)
    if not ChangedArticle.objects.filter(article_id=article_id).exists():
        article = Article.objects.select_related("live_revision").filter(pk=article_id).first()
        former = facts_before(article, at) if article else None
        ChangedArticle.objects.bulk_create(
            [ChangedArticle(article_id=article_id, former=former)], ignore_conflicts=True
        )
    waiting.lease_until = min(now() + QUIET, waiting.created_at + LONGEST_WAIT)
    waiting.asks_gates = waiting.asks_gates or had_gates_at(at)
    waiting.save(update_fields=["lease_until", "asks_gates"])


def _waiting(at: datetime) -> ArticleCheck:
    """Return the waiting check, locked; create one if there is none."""
    found: ArticleCheck | None = (
        ArticleCheck.objects.select_for_update(no_key=True).filter(state=CheckState.WAITING).first()
    )
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made: ArticleCheck = ArticleCheck.objects.create(articles=[], since=at, asks_gates=False)
            return made
    except IntegrityError:  # another process created one at the same time
        return ArticleCheck.objects.select_for_update(no_key=True).get(state=CheckState.WAITING)


def checked_articles(check: ArticleCheck) -> list[UUID]:
    """Return the ids of a check's articles, including those that a waiting check has collected so far."""
    if check.state != CheckState.WAITING:
        return list(check.articles)
    collected = ChangedArticle.objects.order_by("id").values_list("article_id", flat=True)
    return list(dict.fromkeys([*check.articles, *collected]))


def due_checks() -> list[tuple[UUID, UUID]]:
    """Return the workspace and id of each check to run now; checks that have just failed come last.

    A check is due once the new texts are indexed or it has waited long enough for them. A workspace's checks run one
    after another.
    """
    with across_workspaces("article checks that are due"):
        held = ArticleCheck.objects.filter(state=CheckState.RUNNING, lease_until__gt=now())
        is_free = ~Exists(held.filter(workspace=OuterRef("workspace")))
        rows = ArticleCheck.objects.exclude(state=CheckState.DONE).filter(is_free, lease_until__lte=now())
        waiting = list(rows.order_by("lease_until", "created_at")[:MOST_LOOKED_AT])
        fresh = [one for one in waiting if one.created_at >= now() - LONGEST_WAIT]
        late = _late_checks(fresh)
    return [(one.workspace_pk, one.pk) for one in waiting if one.pk not in late][:AT_ONCE]


def _late_checks(waiting: Sequence[ArticleCheck]) -> set[UUID]:
    """Return the ids of those waiting checks that cover articles not yet indexed."""
    late = Article.objects.filter(state=State.LIVE, indexed_revision=None)
    about = {one.pk: set(one.articles) for one in waiting}
    collecting = {one.workspace_pk: one.pk for one in waiting if one.state == CheckState.WAITING}
    collected = ChangedArticle.objects.filter(workspace__in=collecting, article_id__in=late.values("pk"))
    for workspace_id, article_id in collected.values_list("workspace_id", "article_id"):
        about[collecting[workspace_id]].add(article_id)
    named = set().union(*about.values())
    found = set(late.filter(pk__in=named).values_list("pk", flat=True))
    return {pk for pk, articles in about.items() if articles & found}


def run_check(check_id: UUID) -> None:
    """Run a check and store its findings; do nothing if another worker has it. Takes minutes."""
    check = _claim(check_id)
    if check is None:
        return
    try:
        _compared(check)
        _settle(check, **_found(check))
    except SupportBotError as error:  # for example, a gate's suite has been deleted
        logger.warning("article check %s: %s", check.pk, error.code)
        _settle(check, problem=error.message[:300])
    except Exception:  # the edge of a task: try it again, and give up after some attempts
        logger.exception("article check %s failed", check.pk)
        if check.attempt >= MOST_ATTEMPTS:
            _settle(check, problem=stopped()[:300])
        else:
            _mine(check).update(lease_until=now() + check.attempt * RETRIED_AFTER)


@transaction.atomic
def _claim(check_id: UUID) -> ArticleCheck | None:
    """Claim and return a check; None if another worker holds it. Earlier attempts can no longer write.

    Also returns None while another check of the workspace runs, because the findings of that check decide which cases
    this one repeats.
    """
    rows = list(ArticleCheck.objects.select_for_update(no_key=True).exclude(state=CheckState.DONE).order_by("pk"))
    moment = now()
    is_held = any(one.state == CheckState.RUNNING and one.lease_until and one.lease_until > moment for one in rows)
    check = next((one for one in rows if one.pk == check_id and one.lease_until and one.lease_until <= moment), None)
    if check is None or is_held:
        return None
    if check.state == CheckState.WAITING:
        check.taken_at = database_now()  # imports compare it with the times of their publications
        check.articles = checked_articles(check)
        changed = ChangedArticle.objects.exclude(former=None).values_list("article_id", "former")
        check.former = {str(article_id): former for article_id, former in changed}
        ChangedArticle.objects.all().delete()
    check.state, check.lease_until, check.attempt = CheckState.RUNNING, moment + LEASE, check.attempt + 1
    check.save(update_fields=["articles", "former", "taken_at", "state", "lease_until", "attempt"])
    if check.attempt > MOST_ATTEMPTS:  # its worker died each time
        _settle(check, problem=stopped()[:300])
        return None
    return check


def _settle(check: ArticleCheck, **facts: Any) -> None:
    _mine(check).update(state=CheckState.DONE, lease_until=None, finished_at=now(), **facts)


def _mine(check: ArticleCheck) -> QuerySet[ArticleCheck]:
    """Return the row of a check if this attempt still holds it."""
    rows: QuerySet[ArticleCheck] = ArticleCheck.objects.filter(pk=check.pk, state=CheckState.RUNNING)
    return rows.filter(attempt=check.attempt)


def _compared(check: ArticleCheck) -> None:
    try:
        _compare(check)
    except Exception:  # a failure here must not count as a failed attempt to run the gates' cases
        logger.exception("article check %s could not begin its comparison", check.pk)


def _compare(check: ArticleCheck) -> None:
    """Have a worker compare the answers to customers' questions, but only once per check."""
    if check.comparison is not None:
        return
    known, since = seen_last(check), (check.since or check.created_at) - MARGIN
    before = {name: facts | _readers(known.get(name)) for name, facts in check.former.items()}
    with transaction.atomic():
        made = compare_changes(_without_texts(check), before, since=since)
        if made is not None and not _mine(check).update(comparison=made.pk):
            made.delete()


def _readers(facts: Facts | None) -> Facts:
    """Return the audience that an article had at the last check, which the article itself does not record."""
    return {name: facts[name] for name in READ_BY} if facts else {}


def _without_texts(check: ArticleCheck) -> list[Article]:
    """Return the articles of a check without their texts, because an import's texts could fill the memory."""
    rows = Article.objects.filter(pk__in=check.articles).select_related("live_revision")
    return list(rows.defer("live_revision__title", "live_revision__body"))


def _found(check: ArticleCheck) -> dict[str, Any]:
    """Return a check's result: the failing cases, the number of cases run, and the number not run in time."""
    if not check.asks_gates:
        return {"seen": facts_of(_without_texts(check))}
    articles = _without_texts(check)
    workspace, seen = Workspace.objects.get(pk=current_workspace_id()), facts_of(articles)
    before = check.former | seen_last(check)
    reported = {failure["case"] for _, failure in broken_now()}
    mended = _mended(reported, workspace)
    known, names = _cases_about(articles, before), {one.external_id for one in articles}
    cases = [one for one in known if (name := name_of(*one)) not in reported or name in mended]
    cases.sort(key=lambda one: sources_of(one[1]).isdisjoint(names))
    state = partial(former_state, articles, before)
    failures, untried = broken(cases[:MOST_CASES], as_it_is, state, workspace=workspace, seconds=SECONDS)
    untried += len(cases[MOST_CASES:])
    return {
        "failures": [_stored(one) for one in failures],
        "mended": sorted(mended),
        "seen": {} if untried else seen,
        "played": len(cases) - untried + len(reported - mended),
        "untried": untried,
    }


def _mended(reported: Set[str], workspace: Workspace) -> set[str]:
    """Return the reported cases that pass now or no longer belong to a gate."""
    known = quotation_cases()
    again = [one for one in known if name_of(*one) in reported]
    passed = passing(again, workspace=workspace, seconds=SECONDS)
    return {*passed, *(reported - {name_of(*one) for one in known})}


def _cases_about(articles: Sequence[Article], before: Mapping[str, Facts]) -> list[tuple[str, Case]]:
    """Return the cases to run for these articles. If there are many articles, return all cases, so that no text has to
    be read.
    """
    if len(articles) > MAX_APART:
        return quotation_cases()
    return cases_about({one.external_id: _touched(one, before.get(str(one.pk))) for one in articles})


def _touched(article: Article, before: Facts | None) -> ChangedContent:
    return ChangedContent(_words(article), article.locale, tuple(before["phrasings"]) if before else ())


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
