"""The ledger: how much of the limits confirmed requests use. Amounts are summed and reserved under one lock per
workspace.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from actions.models import ActionPolicy, ActionRequest, LedgerEntry, LedgerHead
from actions.money import Money
from actions.requests.rule_decision import Used
from actions.simulated_backend import sample_shop
from supportbot.accounts.workspaces import workspace_time

YEAR: Final = timedelta(days=365)
Status = LedgerEntry.Status


@dataclass(frozen=True, slots=True)
class DayUse:
    """How much of the workspace's daily limit one action has used, including requests in progress."""

    action: str
    taken: Decimal
    limit: Decimal
    currency: str


def lock() -> None:
    """Lock the workspace's ledger, so that only one transaction at a time sums and reserves. Lock order: request,
    ledger, audit.
    """
    assert transaction.get_connection().in_atomic_block, "a lock outside a transaction locks nothing"
    if LedgerHead.objects.select_for_update(no_key=True).first() is None:
        LedgerHead.objects.bulk_create([LedgerHead()], ignore_conflicts=True)
        LedgerHead.objects.select_for_update(no_key=True).get()


def used(request: ActionRequest, moment: datetime) -> Used:
    """Return the amounts that the action has used so far, without this request. They are exact only under the lock.

    A request keeps the day its amount was reserved: if it is approved or executed after midnight, it does not use the
    new day's limit. With sample orders, all amounts are zero.
    """
    if sample_shop() is not None:
        return Used(subject_kind=request.subject_kind)
    held = _held_by(request)
    today = held.day if held else workspace_day(moment)
    all_of_action = _counting(request).filter(action=request.action)
    counted = all_of_action.filter(currency=request.currency)
    of_customer = counted.filter(customer_id=request.customer_id)
    of_subject = counted.filter(**_subject_of(request)) if request.subject_id else counted.none()
    subject, customer_day = _sum(of_subject), _sum(of_customer.filter(day=today))
    before = max(subject, customer_day)
    if held:
        earlier = Q(created_at__lt=held.created_at)
        before = max(_sum(of_subject.filter(earlier)), _sum(of_customer.filter(earlier, day=today)))
    return Used(
        subject=subject,
        subject_kind=request.subject_kind,
        customer_day=customer_day,
        customer_year=_sum(of_customer.filter(day__gt=today - YEAR, day__lte=today)),
        workspace_day=_sum(counted.filter(day=today)),
        # Sums are per currency; the number of requests covers all currencies.
        requests_customer_day=all_of_action.filter(customer_id=request.customer_id, day=today).count(),
        before=before,
    )


def used_by_day_limits(moment: datetime) -> list[DayUse]:
    """Return how much of its daily limit each enabled action has used; actions without one are left out."""
    policies = ActionPolicy.objects.filter(is_enabled=True, current__max_per_workspace_day__isnull=False)
    entries = LedgerEntry.objects.filter(day=workspace_day(moment)).exclude(status=Status.RELEASED)
    uses = []
    for policy in policies.select_related("current").order_by("action"):
        rules = policy.current
        assert rules is not None and rules.max_per_workspace_day is not None  # guaranteed by the filter
        taken = _sum(entries.filter(action=policy.action, currency=rules.currency))
        uses.append(DayUse(policy.action, taken, rules.max_per_workspace_day, rules.currency))
    return uses


def pending(request: ActionRequest, read_at: datetime | None) -> Decimal:
    """Return the amount of other confirmed requests, of any action, that this request's subject does not show yet. The
    subject was read at `read_at`, so it may lack amounts spent since then. The result is zero for a request that has
    reserved its own amount: the limits were checked when it was reserved, and amounts that the subject shows by now
    would count twice. It is also zero with sample orders.
    """
    if sample_shop() is not None or _held_by(request):
        return Decimal(0)
    of_subject = _counting(request).filter(**_subject_of(request), currency=request.currency)
    unseen = Q(status=Status.RESERVED)
    if read_at is not None:
        unseen |= Q(status=Status.SPENT, request__changed_at__gte=read_at)
    return _sum(of_subject.filter(unseen))


def _held_by(request: ActionRequest) -> LedgerEntry | None:
    entries = LedgerEntry.objects.exclude(status=Status.RELEASED)
    entry: LedgerEntry | None = entries.filter(request_id=request.pk).first()
    return entry


def _counting(request: ActionRequest) -> QuerySet[LedgerEntry]:
    """Return the entries of other requests that count towards the limits."""
    return LedgerEntry.objects.exclude(request_id=request.pk).exclude(status=Status.RELEASED)


def _subject_of(request: ActionRequest) -> dict[str, str]:
    return {"subject_kind": request.subject_kind, "subject_id": request.subject_id}


def _sum(entries: QuerySet[LedgerEntry]) -> Decimal:
    total: Decimal | None = entries.aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)


def reserve(request: ActionRequest, money: Money | None, moment: datetime) -> None:
    """Reserve the request's amount. Call under the lock, after the policy has allowed it."""
    LedgerEntry.objects.create(
        request=request,
        action=request.action,
        customer_id=request.customer_id,
        subject_kind=request.subject_kind,
        subject_id=request.subject_id,
        order_id=request.order_id,
        amount=money.amount if money else Decimal(0),
        currency=money.currency if money else "",
        day=workspace_day(moment),
    )


def spend(request: ActionRequest) -> None:
    LedgerEntry.objects.filter(request_id=request.pk).update(status=Status.SPENT)


def release(request: ActionRequest) -> None:
    """Release the reserved amount, because no money has moved."""
    LedgerEntry.objects.filter(request_id=request.pk).update(status=Status.RELEASED)


def workspace_day(moment: datetime) -> date:
    """Return the date in the workspace's time zone; daily limits reset at midnight in that zone."""
    return workspace_time(moment).date()
