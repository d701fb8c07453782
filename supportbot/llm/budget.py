"""A workspace's daily budgets for models. Costs are reserved before a call, and released or spent after it.

One budget covers all purposes, and a purpose may have its own budget within it. Evaluations have a separate budget, so
that a run never uses up what is meant for customers' answers: within `evaluating`, every call counts as part of an
evaluation, whatever its purpose.

Invariants: one conditional UPDATE per budget decides, so parallel calls cannot overspend. If a process dies, its
reservation stays in place until the end of the day (UTC), so the workspace may spend less than its budget allows, but
never more. Each paid attempt of a call makes its own reservation before it goes out, because the first attempt may
already have been charged when the second begins.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_args

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Greatest
from django.utils.translation import gettext

from supportbot.async_db import db
from supportbot.llm.errors import BudgetExceeded, ModelMisconfigured, Reason
from supportbot.llm.models import Budget, LLMCall
from supportbot.llm.ports import EmbeddingProvider, Provider
from supportbot.llm.pricing import Money, price_at
from supportbot.llm.types import Purpose, Usage
from supportbot.observing.metrics import MODEL_CALLS

logger = logging.getLogger(__name__)
ALL: Final = ""
EVALUATION: Final = "evaluation"
_evaluating: ContextVar[bool] = ContextVar("is_evaluating", default=False)
# The purposes with their own budget, and the setting of each budget.
_SETTINGS: Final = {
    ALL: "LLM_DAILY_BUDGET",
    "verify": "LLM_VERIFY_DAILY_BUDGET",
    EVALUATION: "LLM_EVALUATION_DAILY_BUDGET",
}


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount reserved in one budget, either a purpose's or ALL."""

    day: date
    amount: Decimal
    purpose: str = ALL


def daily_allowance(purpose: str = ALL) -> Decimal | None:
    """Return the limit per workspace and day, in the currency of LLM_PRICES; None means no limit.

    Raises ModelMisconfigured if the setting is not an amount.
    """
    setting = _SETTINGS.get(purpose)
    allowance = getattr(settings, setting, None) if setting else None
    if allowance in (None, ""):
        # By default, the same amount as for customers' answers, but counted separately.
        return daily_allowance(ALL) if purpose == EVALUATION else None
    try:
        amount = Decimal(str(allowance))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        problem = gettext("{setting} must be an amount like 12.50, not “{value}”.")
        raise ModelMisconfigured(problem.format(setting=setting, value=allowance))
    return amount


def is_limited(purpose: str) -> bool:
    """Return whether a budget limits calls for this purpose."""
    return any(daily_allowance(name) is not None for name in _budgets_of(purpose))


def _budgets_of(purpose: str) -> tuple[str, ...]:
    """Return the budgets that pay for a purpose."""
    return (EVALUATION,) if purpose == EVALUATION else (purpose, ALL)


def reserve(most: Money, purpose: str = ALL) -> tuple[Reservation, ...]:
    """Reserve the maximum cost of a call, both in the budget of its purpose and in the budget for all purposes.

    If one of them has too little left for today, raises BudgetExceeded and reserves nothing.
    """
    day = datetime.now(UTC).date()
    limited = {name: allowance for name in _budgets_of(purpose) if (allowance := daily_allowance(name)) is not None}
    for name, allowance in limited.items():
        if not Budget.objects.filter(day=day, purpose=name).exists():
            _open(day, name, allowance, most.currency)
    with transaction.atomic():  # reserve in both budgets or in neither
        for name, allowance in limited.items():
            _take(most.amount, Budget.objects.filter(day=day, purpose=name), allowance)
    return tuple(Reservation(day, most.amount, name) for name in limited)


def _take(amount: Decimal, todays: QuerySet[Budget], allowance: Decimal) -> None:
    # Today's row may be older than the setting, and the current setting counts.
    fitting = todays.filter(Budget.room_for(amount, allowance))
    if not fitting.update(amount=allowance, reserved=F("reserved") + amount):
        raise BudgetExceeded


def _open(day: date, purpose: str, allowance: Decimal, currency: str) -> None:
    """Create a budget for the day.

    It starts with what has been spent today, because it may be introduced during the day.
    """
    costs = LLMCall.objects.filter(started_at__gte=datetime.combine(day, time.min, UTC), currency=currency)
    costs = costs.exclude(purpose=EVALUATION) if purpose == ALL else costs.filter(purpose=purpose)
    spent = costs.aggregate(spent=Sum("cost"))["spent"] or Decimal(0)
    begun = Budget(day=day, purpose=purpose, amount=allowance, currency=currency, spent=spent)
    Budget.objects.bulk_create([begun], ignore_conflicts=True)


def settle(reservation: Reservation, *, spent: Decimal) -> None:
    """Release the reservation and add the call's actual cost to what was spent."""
    Budget.objects.filter(day=reservation.day, purpose=reservation.purpose).update(
        reserved=Greatest(F("reserved") - reservation.amount, Decimal(0)), spent=F("spent") + spent
    )


def settle_all(reservations: Sequence[Reservation], *, spent: Decimal) -> None:
    """Settle the reservations of one call; each budget is charged the call's cost only once."""
    uncharged = {one.purpose: spent for one in reservations}
    for one in reservations:
        settle(one, spent=uncharged.pop(one.purpose, Decimal(0)))


@transaction.atomic
def settle_unrecorded(reservations: Sequence[Reservation], *, spent: Decimal | None = None) -> None:
    """Settle the reservations of a call whose record cannot be stored. The call is charged the reserved amount, or its
    actual cost if that is known and lower.
    """
    reserved = {one.purpose: Decimal(0) for one in reservations}
    for one in reservations:
        reserved[one.purpose] += one.amount
    most = max(reserved.values(), default=Decimal(0))
    settle_all(reservations, spent=most if spent is None else min(spent, most))


class Reservations:
    """The completed and pending reservations of one call."""

    def __init__(self) -> None:
        self._taking: list[asyncio.Task[tuple[Reservation, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._taking)

    async def take(self, provider: Provider | EmbeddingProvider, most: Usage, *, purpose: str) -> None:
        """Reserve what the usage `most` costs at this provider, in the budgets of the purpose. Raises BudgetExceeded.

        This is shielded: if the caller is cancelled now, the reservation is still known and will be released.
        """
        price = None if provider.is_local or not is_limited(purpose) else price_at(provider, provider.model)
        if price is None:
            return
        taking = asyncio.create_task(db(reserve, price.of(most), purpose))
        self._taking.append(taking)
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(_log_failure)  # nobody else will see its error
            raise

    async def taken(self) -> list[Reservation]:
        """Return the reservations to settle, after waiting for pending ones.

        A reservation that failed is left out, because nothing was reserved. `take` raises its error, which must not
        keep the others from being settled.
        """
        if self._taking:
            await asyncio.wait(self._taking)
        return [one for taking in self._taking if not _has_failed(taking) for one in taking.result()]


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None


def _log_failure(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, BudgetExceeded):
        logger.error("the budget of a cancelled call could not be reserved", exc_info=error)


@contextmanager
def evaluating() -> Iterator[None]:
    """Within this block, and in tasks started there, record calls as part of an evaluation."""
    token = _evaluating.set(True)
    try:
        yield
    finally:
        _evaluating.reset(token)


def is_evaluating() -> bool:
    return _evaluating.get()


def booked_as(purpose: str) -> str:
    """Return the purpose that a call is recorded and paid for under."""
    return EVALUATION if is_evaluating() else purpose


def begin_series() -> None:
    """Start at 0 the series that count calls refused by a budget.

    Prometheus sees an increase only between two values, so a series that begins with the first refused call would not
    raise an alert: https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
    """
    for purpose in (*get_args(Purpose), EVALUATION):
        MODEL_CALLS.labels(purpose, "remote", LLMCall.Outcome.SKIPPED.value, Reason.BUDGET.value)
