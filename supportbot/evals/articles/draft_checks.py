"""Checks of an article's newest revision before it is published. A worker runs them, because they can take minutes.

First the gates' cases run, then the real questions that the text may affect, a few at a time. Each step is stored
before the next one begins, so a worker that dies loses only one step, and a cancelled check continues where it stopped.
Comparisons after a publication work in the same way: with the text that was live before (`publication_comparison`), or
for many articles that changed together (`batch_comparison`).
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import Coalesce, RowNumber
from django.utils.timezone import now

from kb.models import Article, Revision
from kb.phrasings import phrasings_of
from kb.services import Change
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals.articles.affected_questions import questions_about
from supportbot.evals.articles.answer_comparison import Outcome, compared_row, shown
from supportbot.evals.articles.answer_preview import AS_IT_IS, PreviewQuestion, Quoted, Text, publication_of, quoted_if
from supportbot.evals.articles.answer_preview import State as ArticlesState
from supportbot.evals.articles.article_gates import asked_by, chosen_for, failed_grades, publishing, quotation_cases
from supportbot.evals.articles.batch_comparison import UNREAD, ChangedArticles, Item
from supportbot.evals.articles.earlier_articles import READ_BY, Facts, former_state
from supportbot.evals.build_fingerprint import product_mark
from supportbot.evals.models import DraftCheck, Suite
from supportbot.evals.result_texts import in_words, stopped
from supportbot.evals.selectors import missing_suites
from supportbot.evals.suite_formats.own_format import case_document, parse_case
from supportbot.language.personal_data import without_personal_data
from supportbot.leases import extending
from supportbot.releases.selectors import current, gates

logger = logging.getLogger(__name__)
AT_MOST: Final = 3  # checks started per tick
AT_ONCE: Final = 6  # items per step; each step publishes the text once and rolls it back
LEASE: Final = timedelta(seconds=90)
BEAT_SECONDS: Final = 30.0
LONGEST_STEP: Final = timedelta(minutes=15)  # after this, the worker counts as dead even if it still extends its lease
MOST_TRIES: Final = 3  # consecutive attempts that store no step
RETRIED_AFTER: Final = timedelta(seconds=30)
# checks of articles that are already published
COMPARISONS: Final = Q(former__isnull=False) | Q(articles__isnull=False)
State = DraftCheck.State


def begin(article: Article) -> DraftCheck:
    """Have a worker check an article's newest revision, and return the check. If one is already under way, return that
    one.
    """
    newest = article.latest_revision
    assert newest is not None, "an article is created together with its first revision"
    try:
        with transaction.atomic():
            made: DraftCheck = DraftCheck.objects.create(
                article_id=article.pk, revision=newest.number, gates=gates(), facts=facts_behind(article)
            )
            return made
    except IntegrityError:
        return DraftCheck.objects.get(article_id=article.pk, revision=newest.number, state__in=("waiting", "running"))


def facts_behind(article: Article) -> dict[str, Any]:
    """Return everything, apart from the revision, that decides which customers get answers from an article, and how."""
    return {
        "collection": str(article.collection_id),
        "locale": article.locale,
        "audience": article.audience,
        "for_assistant": article.for_assistant,
        "on_help_pages": article.on_help_pages,
        "phrasings": sorted(phrasings_of(article)),
        "release": str(current().id),
        "product": product_mark(),
    }


def newest_check(article: Article) -> DraftCheck | None:
    """Return the newest check of an article's newest revision."""
    newest = article.latest_revision
    rows = DraftCheck.objects.filter(article_id=article.pk, revision=newest.number if newest else 0)
    found: DraftCheck | None = rows.order_by("-created_at", "-id").first()
    return found


def cancel(check_id: UUID) -> None:
    """Stop a check and keep its results so far. Raises NotFound."""
    if not cancel_open(DraftCheck.objects.filter(pk=check_id)):
        raise NotFound()


def cancel_open(checks: QuerySet[DraftCheck]) -> int:
    """Stop the unfinished checks among these, and return how many there were. Personal data in their questions is
    masked; if they are continued, they ask the masked questions.

    Masking takes a while, so no row is locked in the meantime. A check is changed only if no worker has stored its
    items since it was read; a worker does this only once.
    """
    unfinished, stopped_now = Q(state__in=("waiting", "running")), 0
    for _ in range(2):
        read = checks.filter(unfinished).order_by("pk").values_list("pk", "items")
        masked = [(pk, items is None, _without_names(items)) for pk, items in read]
        for pk, has_none, items in masked:
            unchanged = DraftCheck.objects.filter(unfinished, pk=pk, items__isnull=has_none)
            stopped_now += unchanged.update(state=State.CANCELLED, lease_until=None, items=items)
    return stopped_now


def resume(check_id: UUID) -> None:
    """Continue a cancelled check where it stopped. Raises NotFound."""
    rows = DraftCheck.objects.filter(pk=check_id, state=State.CANCELLED)
    is_draft = Q(former__isnull=True, articles__isnull=True)
    since = Case(When(is_draft, then=Value(now(), DateTimeField())))  # None for a comparison: see `_due`
    if not rows.update(state=State.WAITING, tries=0, lease_until=since):
        raise NotFound()


def _due() -> Q:
    """Return the condition for checks that no worker holds.

    A waiting comparison has no lease, so that workers of the previous version ignore it: they would run it as the check
    of a draft.
    """
    is_free = Q(lease_until__lte=now()) | (Q(lease_until=None) & COMPARISONS)
    return Q(state__in=("waiting", "running")) & is_free


def due_drafts() -> list[tuple[UUID, UUID]]:
    """Return the workspace and id of each check that no worker holds. Checks that an editor is waiting for come before
    comparisons of published articles; within each group, workspaces take turns, starting with the least busy.
    """
    kind = Case(When(COMPARISONS, then=Value(1)), default=Value(0))
    place = Window(RowNumber(), partition_by=[F("workspace_id"), kind], order_by=["created_at", "pk"])
    with across_workspaces("checks of drafts that are due"):
        held = DraftCheck.objects.filter(workspace=OuterRef("workspace"), state=State.RUNNING, lease_until__gt=now())
        under_way = Coalesce(Subquery(held.order_by().values("workspace").annotate(n=Count("pk")).values("n")), 0)
        due = DraftCheck.objects.filter(_due()).annotate(kind=kind, turn=place + under_way)
        return list(due.order_by("kind", "turn", "created_at").values_list("workspace_id", "pk")[:AT_MOST])


def run_draft_check(check_id: UUID) -> None:
    """Run the rest of a check; do nothing if another worker has it."""
    check = _claim(check_id)
    if check is None:
        return
    try:
        _run(check)
    except SupportBotError as error:  # for example, a gate's suite has been deleted
        logger.warning("check %s of a draft: %s", check.pk, error.code)
        _update(check, **_given_up(check, error.message))
    except Exception:  # the edge of a task: try it again, and give up if it makes no progress
        logger.exception("check %s of a draft stopped", check.pk)
        if check.tries >= MOST_TRIES:
            _update(check, **_given_up(check, stopped()))
        else:
            _update(check, lease_until=now() + check.tries * RETRIED_AFTER)


@transaction.atomic
def _claim(check_id: UUID) -> DraftCheck | None:
    """Claim and return a check; None if another worker holds it. Earlier attempts can no longer write."""
    rows = DraftCheck.objects.select_for_update(no_key=True).filter(_due(), pk=check_id)
    check: DraftCheck | None = rows.first()
    if check is None:
        return None
    if check.tries >= MOST_TRIES:  # its worker died each time
        rows.update(**_given_up(check, stopped()))
        return None
    check.state, check.lease_until = State.RUNNING, now() + LEASE
    check.attempt, check.tries = check.attempt + 1, check.tries + 1
    check.save(update_fields=["state", "lease_until", "attempt", "tries"])
    return check


def _run(check: DraftCheck) -> None:
    work = _work_of(check)
    items = check.items
    if items is None:
        with _held(check):
            items = work.items()
        if not _update(check, items=items):
            return
        check.items = items
    while len(check.rows) < len(items):
        step = items[len(check.rows) : len(check.rows) + AT_ONCE]
        with _held(check):
            played = work.rows(step)
        check.rows, check.tries = [*check.rows, *played], 0
        # Matches no row if the check was cancelled, or taken over because this worker was silent for too long.
        if not _update(check, rows=check.rows, tries=0, lease_until=now() + LEASE):
            return
    with _held(check):
        found = work.found()
    _update(check, found=found, items=_without_names(items), state=State.DONE, lease_until=None, finished_at=now())


def _work_of(check: DraftCheck) -> "Work":
    if check.articles is None:
        return OneArticle(check)
    return ChangedArticles(check.articles, check.facts.get(UNREAD, ()))


def _without_names(items: Sequence[Item] | None) -> list[Item] | None:
    """Return the items with personal data in their questions masked, because checks are kept longer than messages."""
    if items is None:
        return None
    return [
        {**item, "question": without_personal_data(item["question"])} if "question" in item else item for item in items
    ]


def _held(check: DraftCheck) -> AbstractContextManager[None]:
    """Keep extending the lease inside this block, because a step may take longer than one lease."""
    name = f"check {check.pk}"
    return extending(
        lambda: _update(check, lease_until=now() + LEASE), every=BEAT_SECONDS, longest=LONGEST_STEP, name=name
    )


def _given_up(check: DraftCheck, problem: str) -> dict[str, Any]:
    ended = {"state": State.DONE, "problem": problem[:300], "lease_until": None, "finished_at": now()}
    return {**ended, "items": _without_names(check.items)}


def _update(check: DraftCheck, **facts: Any) -> bool:
    mine = DraftCheck.objects.filter(pk=check.pk, state=State.RUNNING, attempt=check.attempt)
    return bool(mine.update(**facts))


class Work(Protocol):
    """The work of a check. Its items are fixed first and then run a few at a time."""

    def items(self) -> list[Item]: ...

    def rows(self, step: Sequence[Item]) -> list[dict[str, Any]]:
        """Return the rows for some items, in their order."""

    def found(self) -> dict[str, Any] | None:
        """Return further findings about the texts; called once all items have run."""


class OneArticle:
    """An article's newest revision, or the changes of its last publication. Raises NotFound if it was deleted."""

    def __init__(self, check: DraftCheck) -> None:
        self.check, (self.text, self.article) = check, _text_of(check)
        self.workspace = Workspace.objects.get(pk=current_workspace_id())

    def items(self) -> list[Item]:
        trial = publishing(self.article, self.text.change)
        cases = chosen_for(quotation_cases(), trial) if gates() and self.check.former is None else []
        asked = [{"name": f"{name}: {case.key}", "case": case_document(case)} for name, case in cases]
        questions = questions_about(self.article.pk, self.text.wording)
        return [*asked, *({"question": question} for question in questions)]

    def rows(self, step: Sequence[Item]) -> list[dict[str, Any]]:
        questions = [_asked(item, self.article, self.workspace) for item in step]
        before_it, after_it = self._states(questions)
        after = quoted_if(after_it, questions, workspace=self.workspace)
        before = quoted_if(before_it, questions, workspace=self.workspace)
        return [_row(item, was, seen, self.article) for item, was, seen in zip(step, before, after, strict=True)]

    def found(self) -> None:
        """Return None: the article's page itself compares the newest text with the live articles."""

    def _states(self, questions: Sequence[PreviewQuestion]) -> Sequence[ArticlesState]:
        if self.check.former is None:
            return AS_IT_IS, publication_of(self.text)
        # Copy even the live text: its passages may not have vectors yet, and nobody who saves the article should have
        # to wait.
        name, both = str(self.article.pk), (self.check.former, _published(self.check))
        return [former_state([self.article], {name: facts}, questions) for facts in both]


def article_of(check: DraftCheck) -> Article | None:
    """Return the article of a check; None if it was deleted, or if the check covers several articles."""
    found: Article | None = Article.objects.filter(pk=check.article_id).first() if check.article_id else None
    return found


def _text_of(check: DraftCheck) -> tuple[Text, Article]:
    article, revision = article_of(check), None
    if article is not None and check.revision is not None:
        revision = Revision.objects.filter(article=article, number=check.revision).first()
    if article is None or revision is None:
        raise NotFound()
    wording = ArticleText(revision.title, revision.body)
    return Text(article.pk, Change(title=revision.title, body=revision.body), wording), article


def _published(check: DraftCheck) -> Facts:
    """Return the facts about an article after the publication that a comparison covers."""
    return {**{name: check.facts[name] for name in (*READ_BY, "phrasings")}, "revision": check.revision}


def _asked(item: Item, article: Article, workspace: Workspace) -> PreviewQuestion:
    if "case" in item:
        return asked_by(parse_case(item["case"]), workspace)
    return PreviewQuestion(item["question"], article.audience, workspace.locale)


def _row(item: Item, was: Quoted, seen: Quoted, article: Article) -> dict[str, Any]:
    if "case" not in item:
        return compared_row(item["question"], was, seen, article.external_id)
    case = parse_case(item["case"])
    grades = failed_grades(case, seen)
    is_broken = bool(grades) and not failed_grades(case, was)
    reasons = in_words(grades) if is_broken else []
    both = {"before": shown(was), "after": shown(seen)}
    return {"name": item["name"], "question": case.asks, "is_broken": is_broken, "reasons": reasons, **both}


def is_current(check: DraftCheck) -> bool:
    """Return whether a check is complete and still valid, because nothing that the gates' verdict depends on has
    changed.
    """
    is_done = check.state == State.DONE and not check.problem and check.former is None
    if not is_done or check.gates != gates():
        return False
    article = article_of(check)
    if article is None or check.facts != facts_behind(article):
        return False
    changed = Article.objects.filter(updated_at__gt=check.created_at).exclude(pk=article.pk)
    suites = Suite.objects.filter(name__in=check.gates, updated_at__gt=check.created_at)
    return not (changed.exists() or suites.exists() or missing_suites(check.gates))


def broken_in(check: DraftCheck) -> list[dict[str, Any]]:
    """Return the cases of the gates that the revision would break."""
    return [row for row in check.rows if row.get("is_broken")]


def compared_in(check: DraftCheck) -> list[dict[str, Any]]:
    """Return the real questions with both answers, worst first."""
    order = [str(one) for one in Outcome]
    return sorted((row for row in check.rows if "outcome" in row), key=lambda row: order.index(row["outcome"]))
