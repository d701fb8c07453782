"""Deletes old runs, article checks, checks of drafts, and replays, in all workspaces."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.timezone import now

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.evals.articles.broken_cases import broken_now
from supportbot.evals.models import ArticleCheck, DraftCheck, Label, Replay, Result, Run, SeenVerdicts

RUNS_KEPT_FOR: Final = timedelta(days=180)  # from their end
ARTICLE_CHECKS_KEPT_FOR: Final = timedelta(days=30)
# These contain customers' questions.
DRAFT_CHECKS_KEPT_FOR: Final = timedelta(days=7)
REPLAYS_KEPT_FOR: Final = timedelta(days=7)


def kept_until(run: Run) -> datetime | None:
    """Return when a run is deleted; None if it has not ended."""
    return run.finished_at + RUNS_KEPT_FOR if run.finished_at else None


def purge_evaluations() -> None:
    """Delete what is older than its retention period."""
    _purge_runs()
    _purge_article_checks()
    with across_workspaces("old checks of drafts and replays"):
        DraftCheck.objects.filter(created_at__lt=now() - DRAFT_CHECKS_KEPT_FOR).delete()
        Replay.objects.filter(created_at__lt=now() - REPLAYS_KEPT_FOR).delete()


def _purge_runs() -> None:
    with across_workspaces("old evaluations"), transaction.atomic():
        old = Run.objects.filter(finished_at__lt=now() - RUNS_KEPT_FOR)
        _replace_originals(old)
        old.delete()


def _replace_originals(old: QuerySet[Run]) -> None:
    """Before these runs are deleted, make the first remaining copy of each of their results the original, and move the
    labels to it. If no label says pass or fail, people who have seen the old run's verdicts cannot label the copy's
    run.
    """
    copies = Result.objects.filter(original=OuterRef("pk")).exclude(run__in=old).order_by("pk").values("pk")
    originals = Result.objects.filter(run__in=old).annotate(copy_id=Subquery(copies[:1])).exclude(copy_id=None)
    for first in originals.only("run").order_by("pk"):
        copy = Result.objects.only("run", "workspace").get(pk=first.copy_id)
        Result.objects.filter(original=first.pk).update(original=copy.pk)
        Result.objects.filter(pk=copy.pk).update(original=None)
        Label.objects.filter(result=first).update(result=copy)
        if Label.objects.filter(result=copy).exclude(verdict=Label.Verdict.UNSURE).exists():
            continue
        seen = SeenVerdicts.objects.filter(run=first.run_id).values_list("person_id", flat=True)
        rows = [SeenVerdicts(workspace_id=copy.workspace_id, run_id=copy.run_id, person_id=one) for one in seen]
        SeenVerdicts.objects.bulk_create(rows, ignore_conflicts=True)


def _purge_article_checks() -> None:
    """Delete old article checks, except those whose cases are still broken."""
    with across_workspaces("old article checks"):
        workspaces = Workspace.objects.filter(pk__in=ArticleCheck.objects.values("workspace"))
        ids = list(workspaces.values_list("pk", flat=True))
    for workspace_id in ids:
        with workspace_scope(workspace_id):
            needed = {check.pk for check, _ in broken_now()}
            old = ArticleCheck.objects.filter(created_at__lt=now() - ARTICLE_CHECKS_KEPT_FOR)
            old.exclude(pk__in=needed).delete()
