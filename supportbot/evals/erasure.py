"""Erases a customer's data from evaluations."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.accounts.models import Customer
from supportbot.evals.models import Case, DraftCheck, ReplayedQuestion, Result, Run, Suite


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
