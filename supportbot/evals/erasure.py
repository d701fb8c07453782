"""Erases a customer's data from evaluations, and deletes old runs."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.timezone import now

from supportbot.accounts.models import Customer
from supportbot.accounts.scope import across_workspaces
from supportbot.evals.models import Case, DraftCheck, Label, ReplayedQuestion, Result, Run, SeenVerdicts, Suite

KEPT_FOR: Final = timedelta(days=180)


def purge_runs() -> None:
    """Delete runs that ended long ago, in all workspaces."""
    with across_workspaces("old evaluations"), transaction.atomic():
        old = Run.objects.filter(finished_at__lt=now() - KEPT_FOR)
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


@transaction.atomic
def take_customer_out_of_cases(customer: Customer) -> None:
    """Remove the merchant's id of a customer from all cases, including those stored in runs. From then on, these cases
    are asked by a visitor and no longer have to pass: otherwise, an erasure could block a gate.
    """
    if not customer.external_id:
        return
    theirs = Case.objects.filter(document__customer=customer.external_id).order_by("pk")
    for case in theirs.select_for_update(no_key=True):
        case.document, case.is_must = _without_customer(case.document), False
        case.save(update_fields=["document", "is_must"])
        Suite.objects.filter(pk=case.suite_id).update(updated_at=now())
    kept = Run.objects.filter(cases__contains=[{"customer": customer.external_id}]).order_by("pk")
    for run in kept.select_for_update(no_key=True):
        run.cases = [
            _without_customer(case) if case.get("customer") == customer.external_id else case for case in run.cases
        ]
        run.save(update_fields=["cases"])


def _without_customer(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("customer", "orders", "must")}


def forget_customer(customer_id: UUID) -> None:
    """Delete the results that may contain a customer's data."""
    Result.objects.filter(customer_id=customer_id).delete()


def forget_unasked() -> None:
    """Delete the workspace's unfinished checks. They contain unmasked questions, which may come from a conversation
    that is being erased.
    """
    DraftCheck.objects.exclude(state=DraftCheck.State.DONE).filter(items__isnull=False).delete()


def forget_questions() -> None:
    """Delete the workspace's checks, because their questions may come from a customer whose data is being erased."""
    DraftCheck.objects.all().delete()


def forget_words(**whose: Any) -> None:
    """Delete the replayed questions of a customer or a conversation, including the answers."""
    ReplayedQuestion.objects.filter(**whose).delete()
