"""A workspace's daily amount for models: taken before a call, given back or turned into spending after it.

Invariant: one conditional UPDATE decides, so parallel calls cannot overshoot. A reservation whose process dies stays
taken until the day (UTC) ends: too little is spent then, never too much.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Greatest

from supportbot.llm.errors import BudgetExceeded, ModelMisconfigured
from supportbot.llm.models import Budget
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
    Budget.objects.bulk_create([Budget(day=day, amount=allowance, currency=most.currency)], ignore_conflicts=True)
    # Today's row may be older than the setting: what the operator allows now is what counts.
    todays = Budget.objects.filter(Budget.room_for(most.amount, allowance), day=day)
    if not todays.update(amount=allowance, reserved=F("reserved") + most.amount):
        raise BudgetExceeded
    return Reservation(day, most.amount)


def settle(reservation: Reservation, *, spent: Decimal) -> None:
    """Give the reservation back and book what the call really cost."""
    Budget.objects.filter(day=reservation.day).update(
        reserved=Greatest(F("reserved") - reservation.amount, Decimal(0)), spent=F("spent") + spent
    )
