"""A workspace's daily amount for models: taken before a call, given back or turned into spending after it.

Invariant: one conditional UPDATE decides, so parallel calls cannot overshoot. A reservation whose process dies stays
taken until the day (UTC) ends: too little is spent then, never too much.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.functions import Greatest

from supportbot.llm.errors import BudgetExceeded, ModelMisconfigured
from supportbot.llm.models import Budget, LLMCall
from supportbot.llm.pricing import Money


@dataclass(frozen=True, slots=True)
class Reservation:
    day: date
    amount: Decimal


def daily_allowance() -> Decimal | None:
    """Return what each workspace may spend in a day, in the currency of LLM_PRICES; None means no limit.

    Raises ModelMisconfigured if the setting is no amount.
    """
    allowance = getattr(settings, "LLM_DAILY_BUDGET", None)
    if allowance in (None, ""):
        return None
    try:
        amount = Decimal(str(allowance))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ModelMisconfigured(f"LLM_DAILY_BUDGET must be an amount like 12.50, not {allowance!r}.")
    return amount


def reserve(most: Money) -> Reservation:
    """Take the most a call can cost from today's budget.

    Raises BudgetExceeded if it does not fit; nothing is taken then.
    """
    allowance = daily_allowance()
    if allowance is None:
        raise ValueError("reserve() without a daily budget")
    day = datetime.now(UTC).date()
    if not Budget.objects.filter(day=day).exists():
        _open(day, allowance, most.currency)
    # Today's row may be older than the setting: what the operator allows now is what counts.
    todays = Budget.objects.filter(Budget.room_for(most.amount, allowance), day=day)
    if not todays.update(amount=allowance, reserved=F("reserved") + most.amount):
        raise BudgetExceeded
    return Reservation(day, most.amount)


def _open(day: date, allowance: Decimal, currency: str) -> None:
    """Begin a day's budget with what the day has cost without one: it may be set, for the first time, at noon."""
    costs = LLMCall.objects.filter(started_at__gte=datetime.combine(day, time.min, UTC), currency=currency)
    spent = costs.aggregate(spent=Sum("cost"))["spent"] or Decimal(0)
    begun = Budget(day=day, amount=allowance, currency=currency, spent=spent)
    Budget.objects.bulk_create([begun], ignore_conflicts=True)


def settle(reservation: Reservation, *, spent: Decimal) -> None:
    """Give the reservation back and book what the call really cost."""
    Budget.objects.filter(day=reservation.day).update(
        reserved=Greatest(F("reserved") - reservation.amount, Decimal(0)), spent=F("spent") + spent
    )
